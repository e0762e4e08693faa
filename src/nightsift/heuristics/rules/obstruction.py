"""Something in the way: dome, tree, dew."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="obstruction",
        feature="missing_cell",
        kind="slow",
        worse=1,
        limit=0.5,
        needs="expected_stars>=12",
        text="part of the field without its stars",
    ),
    Rule(
        reason="obstruction",
        feature="sky_shape",
        kind="slow",
        worse=1,
        limit=1.0,
        sigmas=6.0,
        needs="slow_background_adu<0.05",
        text="part of the sky differs from the rest by more than usual",
    ),
    Rule(
        reason="obstruction",
        feature="background_adu",
        kind="local",
        worse=-1,
        limit=0.3,
        log=True,
        sigmas=6.0,
        text="background {ratio:.2f} of the frames around",
    ),
)
