"""Light that does not arrive: transparency, its evenness, missing stars."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="cloud",
        feature="transparency",
        kind="slow",
        worse=-1,
        limit=0.22,
        log=True,
        text="star fluxes at {ratio:.2f} of the night's",
    ),
    # Air mass 3 in blue light leaves 0.5.
    Rule(
        reason="cloud",
        feature="transparency",
        kind="level",
        worse=-1,
        limit=0.8,
        log=True,
        text="star fluxes at {value:.2f} of the night's clearest",
    ),
    Rule(
        reason="cloud",
        feature="transparency_scatter",
        kind="slow",
        worse=1,
        limit=0.08,
        sigmas=6.0,
        text="transparency uneven by {value:.2f} mag over the field",
    ),
    Rule(
        reason="cloud",
        feature="missing_share",
        kind="slow",
        worse=1,
        limit=0.35,
        needs="expected_stars>=8",
        text="{missing_stars:.0f} of {expected_stars:.0f} stars missing",
    ),
    Rule(
        reason="cloud",
        feature="n_stars",
        kind="slow",
        worse=-1,
        limit=0.8,
        log=True,
        text="{value:.0f} stars where {expected:.0f} are usual",
    ),
)
