"""Headers and file names as different programs write them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from astropy.io import fits
from astropy.time import Time

from nightsift.simulate.instrument import Instrument


class Shot(NamedTuple):
    """What the header of one exposure says.

    Attributes:
        instrument: that took it. target: name of the object. band: filter.
        start: of the exposure, UTC. exposure_s: seconds. number: of the frame, from 1.
        altitude_deg: of the target. airmass: likewise. declination_deg: likewise.
    """

    instrument: Instrument
    target: str
    band: str
    start: datetime
    exposure_s: float
    number: int
    altitude_deg: float
    airmass: float
    declination_deg: float


def make_header(shot: Shot) -> fits.Header:
    """The cards that the instrument's program would write."""
    header = fits.Header()
    _WRITERS[shot.instrument.header](header, shot)
    return header


def file_name(shot: Shot) -> str:
    """The name that the instrument's program would give."""
    target, band, n = shot.target.replace(" ", "_"), shot.band, shot.number
    stamp = shot.start.strftime("%Y-%m-%d_%H-%M-%S")
    return {
        "maxim": f"{target}-{n:04d}-{band}.fit",
        "nina": f"{stamp}_{band}_-10.00_{shot.exposure_s:.2f}s_{n:04d}.fits",
        "sharpcap": f"{target}_{n:05d}.fits",
        "sbig_old": f"{target.split('.')[0]}.{n:05d}.FIT",
        "observatory": f"{shot.instrument.camera.split()[0]}-{shot.start:%Y%m%d}-{n:04d}-e.fits",
        "robotic": f"{target.split('.')[0]}{shot.start:%y%m%d%H%M%S}.FITS",
        "theskyx": f"{target}-{shot.exposure_s:.3f}secs.Light.{band}.{n:08d}.fit",
    }[shot.instrument.header]


def _iso(time: datetime, digits: str = "milliseconds") -> str:
    return time.replace(tzinfo=None).isoformat(timespec=digits)


def _common(header: fits.Header, shot: Shot) -> None:
    """What nearly all programs agree on."""
    header["DATE-OBS"] = (_iso(shot.start), "UTC, start of exposure")
    header["EXPTIME"] = (shot.exposure_s, "[s]")
    header["INSTRUME"] = shot.instrument.camera
    header["XPIXSZ"] = (shot.instrument.detector.pixel_um, "[um] after binning")
    header["IMAGETYP"] = "Light Frame"


def _maxim(header: fits.Header, shot: Shot) -> None:
    _common(header, shot)
    middle = Time(shot.start + timedelta(seconds=shot.exposure_s / 2))
    header["EXPOSURE"] = shot.exposure_s
    header["SET-TEMP"], header["CCD-TEMP"] = -20.0, -19.9
    header["FILTER"], header["OBJECT"] = shot.band, shot.target
    header["TELESCOP"] = shot.instrument.telescope
    header["FOCALLEN"] = shot.instrument.optics.focal_mm
    header["APTDIA"] = 1000 * shot.instrument.optics.aperture_m
    header["EGAIN"] = (shot.instrument.detector.gain_e_adu, "[e-/ADU]")
    header["JD"] = (float(middle.jd), "mid-exposure")
    header["AIRMASS"] = round(shot.airmass, 5)
    header["SWCREATE"] = "MaxIm DL Version 6.20"


def _nina(header: fits.Header, shot: Shot) -> None:
    _common(header, shot)
    middle = shot.start + timedelta(seconds=shot.exposure_s / 2)
    header["IMAGETYP"] = "LIGHT"
    header["DATE-OBS"] = _iso(shot.start)
    header["DATE-AVG"] = (_iso(middle), "UTC, middle of exposure")
    header["DATE-LOC"] = (_iso(shot.start + timedelta(hours=1)), "local time")
    header["GAIN"] = (100, "sensor gain, arbitrary unit")
    header["OFFSET"] = 50
    header["EGAIN"] = (shot.instrument.detector.gain_e_adu, "[e-/ADU]")
    header["TELESCOP"] = shot.instrument.telescope
    header["FILTER"], header["OBJECT"] = shot.band, shot.target
    header["CENTALT"], header["AIRMASS"] = round(shot.altitude_deg, 6), round(shot.airmass, 7)
    header["OBJCTDEC"] = f"{shot.declination_deg:+.4f}"
    header["SWCREATE"] = "N.I.N.A. 3.1.2.9001"


def _sharpcap(header: fits.Header, shot: Shot) -> None:
    """Says neither which telescope nor which filter it was."""
    header["DATE-OBS"] = _iso(shot.start, "microseconds") + "0"
    header["EXPTIME"] = shot.exposure_s
    header["INSTRUME"] = shot.instrument.camera
    header["GAIN"], header["BLKLEVEL"] = 139, 50
    header["XBINNING"], header["YBINNING"] = 2, 2
    header["CCD-TEMP"] = -9.8
    header["OBJECT"] = shot.target
    header["SWCREATE"] = "SharpCap v4.1.11395.0, 64 bit"


def _sbig_old(header: fits.Header, shot: Shot) -> None:
    """Date and time in two cards, the exposure as a number without a point."""
    header["DATE-OBS"] = shot.start.strftime("%Y-%m-%d")
    header["TIME-OBS"] = shot.start.strftime("%H:%M:%S")
    header["EXPTIME"] = round(shot.exposure_s)
    header["OBJECT"], header["FILTER"] = shot.target.split(".")[0], shot.band
    header["TELESCOP"], header["INSTRUME"] = shot.instrument.telescope, shot.instrument.camera
    header["OBSERVER"] = "unknown"


def _observatory(header: fits.Header, shot: Shot) -> None:
    header["OBSTYPE"] = "EXPOSE"
    header["DATE-OBS"] = (_iso(shot.start), "[UTC]")
    header["UTSTART"] = shot.start.strftime("%H:%M:%S.%f")[:-3]
    header["MJD-OBS"] = (float(Time(shot.start).mjd), "[UTC days]")
    header["EXPTIME"] = shot.exposure_s
    header["FILTER"] = {"g": "gp", "r": "rp", "i": "ip", "z": "zs"}.get(shot.band, shot.band)
    header["OBJECT"], header["TELESCOP"] = shot.target, shot.instrument.telescope
    header["INSTRUME"] = shot.instrument.camera
    header["GAIN"] = (shot.instrument.detector.gain_e_adu, "[electrons/count]")
    header["RDNOISE"] = (shot.instrument.detector.read_noise_e, "[electrons/pixel]")
    header["SATURATE"] = (shot.instrument.detector.saturation_adu, "[ADU]")
    header["PIXSCALE"] = (round(shot.instrument.scale_arcsec, 5), "[arcsec/pixel]")
    header["AIRMASS"] = (round(shot.airmass, 7), "effective mean airmass")


def _robotic(header: fits.Header, shot: Shot) -> None:
    """Local time with its offset in DATE-OBS, universal time in UT-OBS."""
    local = shot.start - timedelta(hours=7)
    header["DATE-OBS"] = _iso(local) + "-0700"
    header["UT-OBS"] = _iso(shot.start) + "-0000"
    header["MJD-OBS"] = round(float(Time(shot.start).mjd), 6)
    header["EXPTIME"] = shot.exposure_s
    header["OBJECT"], header["FILTER"] = shot.target.split(".")[0], shot.band
    header["TELESCOP"], header["INSTRUME"] = shot.instrument.telescope, "Main"
    header["IM_SCALE"] = round(shot.instrument.scale_arcsec, 3)
    header["TELALT"] = round(shot.altitude_deg, 3)


def _theskyx(header: fits.Header, shot: Shot) -> None:
    _common(header, shot)
    header["OBJECT"], header["FILTER"] = shot.target, shot.band
    header["TELESCOP"] = shot.instrument.telescope
    header["FOCALLEN"] = shot.instrument.optics.focal_mm
    header["EGAIN"] = shot.instrument.detector.gain_e_adu
    header["CENTALT"], header["AIRMASS"] = shot.altitude_deg, shot.airmass
    header["SWCREATE"] = "TheSkyX Version 10.5.0 Build 11587"


_WRITERS: dict[str, Callable[[fits.Header, Shot], None]] = {
    "maxim": _maxim,
    "nina": _nina,
    "sharpcap": _sharpcap,
    "sbig_old": _sbig_old,
    "observatory": _observatory,
    "robotic": _robotic,
    "theskyx": _theskyx,
}
