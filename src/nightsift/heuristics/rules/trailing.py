"""Stars that are long in one direction, or seen twice."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="trailing",
        feature="trail",
        kind="slow",
        worse=1,
        limit=0.2,
        sigmas=2.5,
        needs="n_shapes>=4",
        text="stars {elongation:.2f} times as long as wide, all at {pa_deg:.0f} deg",
    ),
    # Crowded fields, rings and ghosts leave some in every frame of a night.
    Rule(
        reason="trailing",
        feature="paired_share",
        kind="best",
        worse=1,
        limit=0.25,
        sigmas=2.5,
        needs="n_stars>=10",
        text="{value:.0%} of the stars seen twice",
    ),
    Rule(
        reason="trailing",
        feature="trail",
        kind="best",
        worse=1,
        limit=0.35,
        sigmas=2.0,
        needs="n_shapes>=4",
        text="stars {elongation:.2f} times as long as wide, all at {pa_deg:.0f} deg",
    ),
)
