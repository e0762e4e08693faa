"""Lines across the frame: satellites, aircraft, meteors."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
    # Noise alone gives 4 to 6 over all lines of a frame, seldom 7.
    Rule(
        reason="streak",
        feature="streak_significance",
        kind="slow",
        worse=1,
        limit=3.0,
        gate=8.5,
        text="line at {streak_angle_deg:.0f} deg, {value:.0f} sigma, {streak_length_px:.0f} px",
    ),
    Rule(
        reason="streak",
        feature="streak_significance",
        kind="level",
        worse=1,
        limit=14.0,
        text="line at {streak_angle_deg:.0f} deg, {value:.0f} sigma, {streak_length_px:.0f} px",
    ),
    # Lines that bend or end. Wings of bright stars make 6 to 9, in every frame of the night.
    Rule(
        reason="streak",
        feature="piece_significance",
        kind="slow",
        worse=1,
        limit=4.0,
        gate=11.5,
        text="piece of a line, {value:.0f} sigma",
    ),
)
