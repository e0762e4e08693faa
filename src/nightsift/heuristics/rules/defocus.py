"""Stars that are wider than those of the night, discs or rings."""

from nightsift.heuristics.rules import Rule, add_rules

add_rules(
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
    # Whole nights are defocused on purpose: only what differs from the best of the night counts.
    Rule(
        reason="defocus",
        feature="minor_fwhm_px",
        kind="best",
        worse=1,
        limit=0.5,
        log=True,
        needs="n_shapes>=3",
        text="FWHM {fwhm_px:.1f} px, {ratio:.2f} of the night's best",
    ),
    # A Gaussian has 2.7, a Moffat profile more, an evenly lit disc 2.0, a ring less. The best
    # frames of a night of rings may be its trailed ones: what is no wider is no worse.
    Rule(
        reason="defocus",
        feature="concentration",
        kind="best",
        worse=-1,
        limit=0.6,
        gate=2.4,
        needs="hfr_px>=2.5 n_shapes>=3 best_minor_fwhm_px>=0.15",
        text="stars are discs or rings (80 % over 20 % radius {value:.2f})",
    ),
    Rule(
        reason="defocus",
        feature="dip",
        kind="best",
        worse=-1,
        limit=0.15,
        gate=0.95,
        needs="hfr_px>=2.5 n_shapes>=3 best_minor_fwhm_px>=0.15",
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
)
