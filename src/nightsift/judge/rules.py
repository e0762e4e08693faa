"""What speaks for which reason, and from which value on: the only place with limits in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

REASONS = (
    "cloud",
    "trailing",
    "defocus",
    "streak",
    "obstruction",
    "pointing",
    "bright_sky",
    "no_stars",
    "readout",
    "unreadable",
)


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One feature as evidence for one reason; a severity of 1 is where a frame becomes bad.

    Attributes:
        reason: one of `REASONS`.
        feature: column of the feature table.
        kind: `slow` and `local` look at the deviation from the night
            (`nightsift.night.trend`), `level` at the value as it stands.
        worse: 1 if larger is worse, -1 if smaller is, 0 if both are.
        limit: deviation, or distance of the value from `zero`, that makes the severity 1;
            natural logarithms where `log`.
        sigmas: the deviation must also be this many times the scatter of the night.
        log: compare logarithms.
        zero: where the severity of a `level` begins.
        gate: the rule holds only where the feature itself is at least this (`worse` 1) or at
            most this (`worse` -1).
        needs: `column>=number`; the rule abstains elsewhere.
        decisive: what it says is named as the reason even where another severity is larger.
        text: what to tell the user; `value`, `expected` and `ratio` are filled in.
    """

    reason: str
    feature: str
    kind: Literal["slow", "local", "level"]
    worse: int
    limit: float
    text: str
    sigmas: float = 5.0
    log: bool = False
    zero: float = 0.0
    gate: float | None = None
    needs: str = ""
    decisive: bool = False

    @property
    def name(self) -> str:
        """Column name of the severity."""
        return f"severity_{self.reason}_{self.feature}_{self.kind}"


RULES = (
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
    # Chance leaves 0.1 where objects are few or torn.
    Rule(
        reason="trailing",
        feature="paired_share",
        kind="level",
        worse=1,
        zero=0.1,
        limit=0.2,
        needs="n_stars>=10",
        text="{value:.0%} of the stars seen twice",
    ),
    Rule(
        reason="trailing",
        feature="trail",
        kind="level",
        worse=1,
        limit=0.55,
        needs="n_shapes>=4",
        text="stars {elongation:.2f} times as long as wide, all at {pa_deg:.0f} deg",
    ),
    Rule(
        reason="defocus",
        feature="minor_fwhm_px",
        kind="slow",
        worse=1,
        limit=0.3,
        log=True,
        needs="n_shapes>=3",
        text="FWHM {fwhm_px:.1f} px, {ratio:.2f} of what is usual",
    ),
    Rule(
        reason="defocus",
        feature="minor_fwhm_px",
        kind="local",
        worse=1,
        limit=0.25,
        log=True,
        needs="n_shapes>=3",
        text="FWHM {fwhm_px:.1f} px, {ratio:.2f} of the frames around",
    ),
    # A Gaussian has 2.7, a Moffat profile more, an evenly lit disc 2.0, a ring less.
    Rule(
        reason="defocus",
        feature="concentration",
        kind="level",
        worse=-1,
        limit=0.45,
        zero=2.6,
        needs="hfr_px>=2.5 n_shapes>=3",
        text="stars are discs or rings (80 % over 20 % radius {value:.2f})",
    ),
    Rule(
        reason="defocus",
        feature="dip",
        kind="level",
        worse=-1,
        limit=0.1,
        zero=1.0,
        needs="hfr_px>=2.5 n_shapes>=3",
        text="stars are rings, centre at {value:.2f} of the rim",
    ),
    Rule(
        reason="defocus",
        feature="acf_width_px",
        kind="slow",
        worse=1,
        limit=0.4,
        log=True,
        sigmas=6.0,
        needs="n_shapes<3",
        text="nothing sharp: autocorrelation {value:.1f} px wide, usually {expected:.1f}",
    ),
    # Noise alone gives 4 to 6 over all lines of a frame, seldom 7.
    Rule(
        reason="streak",
        feature="streak_significance",
        kind="slow",
        worse=1,
        limit=2.5,
        gate=7.0,
        text="line at {streak_angle_deg:.0f} deg, {value:.0f} sigma, {streak_length_px:.0f} px",
    ),
    Rule(
        reason="streak",
        feature="streak_significance",
        kind="level",
        worse=1,
        limit=12.0,
        text="line at {streak_angle_deg:.0f} deg, {value:.0f} sigma, {streak_length_px:.0f} px",
    ),
    # Lines that bend or end. Wings of bright stars make 6 to 9, in every frame of the night.
    Rule(
        reason="streak",
        feature="piece_significance",
        kind="slow",
        worse=1,
        limit=3.0,
        gate=9.5,
        text="piece of a line, {value:.0f} sigma",
    ),
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
        reason="obstruction",
        feature="background_adu",
        kind="local",
        worse=-1,
        limit=0.3,
        log=True,
        sigmas=6.0,
        text="background {ratio:.2f} of the frames around",
    ),
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
        kind="level",
        worse=1,
        limit=0.02,
        decisive=True,
        text="{value:.1%} of the pixels saturated",
    ),
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
    Rule(
        reason="readout",
        feature="displaced_stars",
        kind="level",
        worse=1,
        limit=1.5,
        text="rows moved sideways, and {value:.0f} stars with them",
    ),
    Rule(
        reason="readout",
        feature="banding_rows",
        kind="slow",
        worse=1,
        limit=0.5,
        log=True,
        sigmas=6.0,
        text="rows scatter {value:.1f} times as much as noise explains",
    ),
    Rule(
        reason="readout",
        feature="banding_cols",
        kind="slow",
        worse=1,
        limit=0.5,
        log=True,
        sigmas=6.0,
        text="columns scatter {value:.1f} times as much as noise explains",
    ),
    Rule(
        reason="readout",
        feature="step_rows",
        kind="slow",
        worse=1,
        limit=0.45,
        sigmas=6.0,
        decisive=True,
        text="a step of {value:.1f} sigma from one row to the next",
    ),
    Rule(
        reason="readout",
        feature="step_cols",
        kind="slow",
        worse=1,
        limit=0.45,
        sigmas=6.0,
        decisive=True,
        text="a step of {value:.1f} sigma from one column to the next",
    ),
    Rule(
        reason="readout",
        feature="constant_fraction",
        kind="level",
        worse=1,
        limit=0.05,
        decisive=True,
        text="{value:.0%} of the rows or columns hold one value",
    ),
    Rule(
        reason="readout",
        feature="noise_adu",
        kind="local",
        worse=-1,
        limit=0.5,
        log=True,
        sigmas=6.0,
        text="noise {ratio:.2f} of the frames around",
    ),
)
