"""Nothing to be seen."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="no_stars",
        feature="n_stars",
        kind="level",
        worse=-1,
        limit=2.5,
        zero=3.0,
        decisive=True,
        text="{value:.0f} stars",
    ),
)
