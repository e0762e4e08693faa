"""Twilight, moonlight, lamps, saturation."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    Rule(
        reason="bright_sky",
        feature="sky_shape",
        kind="slow",
        worse=1,
        limit=1.0,
        sigmas=6.0,
        needs="slow_background_adu>=0.05",
        text="part of the sky is lit more than the rest",
    ),
    Rule(
        reason="bright_sky",
        feature="background_adu",
        kind="local",
        worse=1,
        limit=0.3,
        log=True,
        sigmas=6.0,
        text="background {ratio:.2f} of the frames around",
    ),
    Rule(
        reason="bright_sky",
        feature="background_adu",
        kind="slow",
        worse=1,
        limit=0.9,
        log=True,
        sigmas=6.0,
        text="background {ratio:.2f} of what is usual",
    ),
    Rule(
        reason="bright_sky",
        feature="saturated_fraction",
        kind="best",
        worse=1,
        limit=0.02,
        decisive=True,
        text="{value:.1%} of the pixels saturated",
    ),
)
