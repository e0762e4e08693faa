"""The field is not where it was, or is another one."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="pointing",
        feature="jump_share",
        kind="slow",
        worse=1,
        limit=0.04,
        sigmas=6.0,
        text="field off by {jump_px:.0f} px",
    ),
    Rule(
        reason="pointing",
        feature="unrecognised",
        kind="level",
        worse=1,
        limit=0.7,
        decisive=True,
        text="{n_stars:.0f} stars, but none of the night's field",
    ),
)
