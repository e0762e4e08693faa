"""A telescope with its camera, mount and site, in physical units; one YAML file each."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace

from nightsift.errors import NightsiftError
from nightsift.simulate.sky import BANDS
from nightsift.simulate.structure import EDGES, Structure
from nightsift.simulate.usage import Usage

HEADERS = ("maxim", "nina", "sharpcap", "sbig_old", "observatory", "robotic", "theskyx")
MOUNTS = ("german", "fork", "altaz")
PSFS = ("moffat", "kolmogorov")


@dataclass(kw_only=True)
class Optics:
    """What the light passes.

    Attributes:
        aperture_m: diameter of the entrance.
        obstruction: diameter of the secondary mirror over the aperture's, 0 for a refractor.
        focal_mm: focal length with any reducer.
        throughput: share of the light that reaches the detector through glass and filter, 0-1.
        psf: profile of a star, `moffat` or `kolmogorov`.
        beta: exponent of the Moffat profile, > 1.
        blur_arcsec: FWHM of the optics alone, added to the seeing in quadrature.
        coma: share of a star's light in its comatic tail at the corner, 0-0.6.
        tilt: fractional change of the FWHM from edge to edge.
        vignetting: loss of light in the corners, 0-1.
        donuts: shadows of dust on the frame, mean number.
    """

    aperture_m: float
    obstruction: float
    focal_mm: float
    throughput: float
    psf: str
    beta: float
    blur_arcsec: float
    coma: float
    tilt: float
    vignetting: float
    donuts: float

    @property
    def area_m2(self) -> float:
        """Of the aperture less its obstruction."""
        return math.pi / 4 * self.aperture_m**2 * (1 - self.obstruction**2)


@dataclass(kw_only=True)
class Detector:
    """The camera.

    Attributes:
        width: px. height: px.
        pixel_um: side of a pixel, after binning.
        quantum_efficiency: mean over the band, 0-1.
        gain_e_adu: electrons per ADU.
        read_noise_e: RMS.
        bias_adu: offset of the converter.
        bias_structure_adu: RMS of the fixed column pattern.
        amplifiers: 1, 2 (left and right) or 4 (quadrants), each with its own offset and gain.
        dark_e_s: mean dark current, electrons per pixel and second.
        hot_per_mpx: pixels whose dark current is 30 times the mean or more, per megapixel.
        full_well_e: electrons where a pixel is full.
        bleeds: whether a full pixel overflows along its column (CCD) or just stops (CMOS).
        nonlinearity: fractional loss at full well.
        bits: of the converter.
        step_adu: ADU per count of the converter; 16 for 12 bits written into 16.
        prnu: RMS of the pixels' sensitivity.
        fringing: amplitude of the fringes in the sky of a red band, 0-1.
        glow_e_s: amplifier glow in the corner, electrons per pixel and second.
        cosmic_rays: hits per cm2 and minute.
        dtype: `uint16`, `int16` or, for frames that were calibrated already, `float32`.
        colour_matrix: sensitivities of the four kinds of pixels of a colour camera, in the
            order (0, 0), (0, 1), (1, 0), (1, 1) of row and column; empty for a monochrome one.
    """

    width: int
    height: int
    pixel_um: float
    quantum_efficiency: float
    gain_e_adu: float
    read_noise_e: float
    bias_adu: float
    bias_structure_adu: float
    amplifiers: int
    dark_e_s: float
    hot_per_mpx: float
    full_well_e: float
    bleeds: bool
    nonlinearity: float
    bits: int
    step_adu: int
    prnu: float
    fringing: float
    glow_e_s: float
    cosmic_rays: float
    dtype: str
    colour_matrix: list[float] = field(default_factory=list)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in px."""
        return self.height, self.width

    @property
    def saturation_adu(self) -> float:
        """The largest number that the converter and the file can hold."""
        top = (2**self.bits - 1) * self.step_adu
        return float(min(top, 32767) if self.dtype == "int16" else top)

    @property
    def capacity_e(self) -> float:
        """Electrons that a pixel can hold and the converter can tell."""
        return min(self.full_well_e, self.saturation_adu * self.gain_e_adu)


@dataclass(kw_only=True)
class Mount:
    """What carries the telescope.

    Attributes:
        kind: `german` (flips at the meridian), `fork`, or `altaz` (the field rotates unless
            derotated; what is left is `rotation_deg_h`).
        drift_px_h: speed of the field over the detector, typical.
        jitter_arcsec: RMS of the guiding within an exposure; widens and slightly elongates.
        wander_px: RMS of the field's position from frame to frame.
        rotation_deg_h: rotation of the field.
        dither_px: offsets that observers add on purpose; 0 for none.
    """

    kind: str
    drift_px_h: float
    jitter_arcsec: float
    wander_px: float
    rotation_deg_h: float
    dither_px: float


@dataclass(kw_only=True)
class Site:
    """Where it stands and how it is used.

    Attributes:
        latitude_deg: north positive.
        sky_mag: V magnitude per square arc second of the moonless zenith.
        extinction: V magnitudes per air mass.
        seeing_arcsec: median FWHM at the zenith.
        bands: filters in use, of `nightsift.simulate.sky.BANDS`.
        exposures_s: exposure times in use.
        overhead_s: from the end of an exposure to the next.
    """

    latitude_deg: float
    sky_mag: float
    extinction: float
    seeing_arcsec: float
    bands: list[str]
    exposures_s: list[float]
    overhead_s: float


@dataclass(kw_only=True)
class Instrument:
    """A telescope that takes frames.

    Attributes:
        telescope: for the header. camera: for the header.
        header: whose habits its headers and file names follow, of `HEADERS`.
        structure: what of the camera shows in every frame.
        usage: how it is used, on what sort of field.

    Raises:
        NightsiftError: a value is impossible, or a star is wider than the frame.
    """

    telescope: str
    camera: str
    header: str
    optics: Optics
    detector: Detector
    mount: Mount
    site: Site
    structure: Structure = field(default_factory=Structure)
    usage: Usage = field(default_factory=Usage)

    def __post_init__(self) -> None:
        _check_ranges(self)
        _check_choices(self)
        if self.typical_fwhm_px > min(self.detector.shape) / 8:
            raise NightsiftError(
                f"instrument {self.telescope}: a star is {self.typical_fwhm_px:.0f} px wide on a "
                f"frame of {self.detector.width} x {self.detector.height} px; expected at most an "
                "eighth of it"
            )

    @property
    def scale_arcsec(self) -> float:
        """Arc seconds per pixel."""
        return 206.265 * self.detector.pixel_um / self.optics.focal_mm

    @property
    def typical_fwhm_px(self) -> float:
        """Seeing, optics and guiding at the zenith in quadrature."""
        blur = math.hypot(
            self.site.seeing_arcsec, self.optics.blur_arcsec, 2.355 * self.mount.jitter_arcsec
        )
        return blur / self.scale_arcsec

    def electrons_per_s(self, band: str) -> float:
        """From a star of magnitude 0 above the atmosphere."""
        light = BANDS[band].photons_s_m2 * self.optics.area_m2
        return light * self.optics.throughput * self.detector.quantum_efficiency

    def cropped(self, max_side: int) -> Instrument:
        """The same instrument reading a central subframe; 0 for the whole detector.

        Fewer pixels, not larger ones; the corners' faults stay beyond the subframe, as they
        do on a real one.
        """
        if not max_side:
            return self
        width, height = (min(max_side, n) for n in (self.detector.width, self.detector.height))
        share = math.hypot(width, height) / math.hypot(self.detector.width, self.detector.height)
        optics = replace(
            self.optics,
            vignetting=self.optics.vignetting * share**2,
            coma=self.optics.coma * share,
            tilt=self.optics.tilt * share,
        )
        detector = replace(self.detector, width=width, height=height)
        return replace(self, optics=optics, detector=detector)


# Inclusive bounds; what is not here is any finite number >= 0.
_BOUNDS: dict[str, tuple[float, float]] = {
    "aperture_m": (0.01, 50),
    "obstruction": (0, 0.8),
    "focal_mm": (10, 1e6),
    "throughput": (1e-3, 1),
    "beta": (1.5, 10),
    "coma": (0, 0.6),
    "tilt": (0, 1),
    "vignetting": (0, 0.95),
    "width": (32, 65536),
    "height": (32, 65536),
    "pixel_um": (0.5, 1000),
    "quantum_efficiency": (1e-3, 1),
    "gain_e_adu": (1e-3, 1e3),
    "full_well_e": (100, 1e8),
    "nonlinearity": (0, 0.5),
    "bits": (8, 16),
    "step_adu": (1, 256),
    "prnu": (0, 0.2),
    "fringing": (0, 0.5),
    "edge_loss": (0, 1),
    "edge_reach": (0, 0.45),
    "amplifier_gain": (0, 0.2),
    "overscan_px": (0, 512),
    "dark_rows_px": (0, 512),
    "defocus_px": (0, 100),
    "defocus_drift": (-0.5, 0.5),
    "trail_px": (0, 200),
    "trail_deg": (0, 360),
    "turn_deg": (-180, 180),
    "crowding": (0, 1000),
    "fewest_stars": (1, 1000),
    "poor_seeing": (0, 0.5),
    "sky_unrest": (0, 1),
    "spikes": (0, 0.3),
    "halo": (0, 0.3),
    "ghosts": (0, 0.1),
    "latitude_deg": (-90, 90),
    "sky_mag": (10, 23),
    "seeing_arcsec": (0.1, 60),
}


def _check_ranges(instrument: Instrument) -> None:
    parts = (
        instrument.optics,
        instrument.detector,
        instrument.mount,
        instrument.site,
        instrument.structure,
        instrument.usage,
    )
    for part in parts:
        for own in fields(part):
            value = getattr(part, own.name)
            numbers = value if isinstance(value, list) else [value]
            low, high = _BOUNDS.get(own.name, (0, math.inf))
            for number in numbers:
                if isinstance(number, int | float) and not low <= number <= high:
                    raise NightsiftError(
                        f"instrument {instrument.telescope}: {own.name}={number}: expected "
                        f"{low:g} to {high:g}"
                    )


def _check_choices(instrument: Instrument) -> None:
    detector, site = instrument.detector, instrument.site
    choices: list[tuple[str, object, tuple[object, ...]]] = [
        ("header", instrument.header, HEADERS),
        ("kind", instrument.mount.kind, MOUNTS),
        ("psf", instrument.optics.psf, PSFS),
        ("edge", instrument.structure.edge, EDGES),
        ("amplifiers", detector.amplifiers, (1, 2, 4)),
        ("dtype", detector.dtype, ("uint16", "int16", "float32")),
        ("number of colour_matrix", len(detector.colour_matrix), (0, 4)),
        *(("bands", band, tuple(BANDS)) for band in site.bands),
    ]
    for name, value, allowed in choices:
        if value not in allowed:
            raise NightsiftError(
                f"instrument {instrument.telescope}: {name}={value}: expected one of "
                f"{', '.join(map(str, allowed))}"
            )
    for name, values in (("bands", site.bands), ("exposures_s", site.exposures_s)):
        if not values:
            raise NightsiftError(f"instrument {instrument.telescope}: {name} is empty")
