"""The few header facts that matter, from the many ways in which cameras write them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from astropy.io.fits import VerifyError

from nightsift.fits.position import read_degrees

_TIME_KEYS = ("TIME-OBS", "UT-OBS", "UTSTART", "UTCSTART", "UTC-OBS", "UT", "UTC", "TIME-BEG")
_EXPOSURE_KEYS = ("EXPTIME", "EXPOSURE", "EXP_TIME", "ITIME", "ONTIME", "ELAPTIME", "TELAPSE")
_FILTER_KEYS = ("FILTER", "FILTNAM", "FILTNAME", "INSFILTE", "FILTERID", "FILT-ID", "FILTERS")
_KIND_KEYS = ("IMAGETYP", "IMAGETYPE", "OBSTYPE", "FRAME", "FRAMETYP", "IMTYPE", "PICTTYPE")
_POSITION_KEYS = (("OBJCTRA", "OBJCTDEC"), ("RA", "DEC"))
_WHEEL_KEYS = ("FILTER1", "FILTER2", "FILTER3")
_EMPTY_SLOTS = {"air", "clear", "open", "empty", "none", "notpresent"}

_CLOCK = (
    r"(?P<h>\d{1,2}):(?P<min>\d{1,2})(?::(?P<s>\d{1,2}(?:\.\d*)?))?"
    r"\s*(?P<zone>Z|UTC?|[+-]\d{2}:?\d{2})?"
)
_ISO = r"(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})"
_OLD = r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4}|\d{2})"
_STAMPS = [re.compile(rf"{date}(?:(?:T|\s+)\s*{_CLOCK})?", re.I | re.A) for date in (_ISO, _OLD)]
_TIME_OF_DAY = re.compile(_CLOCK, re.I | re.A)
_SECONDS = re.compile(r"([+-]?[\d.]+(?:[eEdD][+-]?\d+)?)\s*(?:s|secs?|seconds?)?", re.I | re.A)

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD_ZERO = 2400000.5
# Years 1900 to 2200: outside, the card is a placeholder and no date.
_MJD_RANGE = (15020.0, 124594.0)
_MIDNIGHT = timedelta()


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameInfo:
    """What is known of a frame besides its pixels.

    Attributes:
        height: rows, px.
        width: columns, px.
        time: middle of the exposure, UTC; None where the header does not tell.
        exposure_s: exposure time, seconds, at least 0; None where the header does not tell.
        filter: name of the filter; several wheels are joined by `+`.
        object: name of the target.
        telescope: name of the telescope.
        instrument: name of the camera.
        kind: what the camera's program calls the frame ("Light Frame", "FLAT", "zero").
        ra_deg: right ascension that the header names, of whatever equinox, degrees.
        dec_deg: declination, degrees.
    """

    height: int
    width: int
    time: datetime | None = None
    exposure_s: float | None = None
    filter: str | None = None
    object: str | None = None
    telescope: str | None = None
    instrument: str | None = None
    kind: str | None = None
    ra_deg: float | None = None
    dec_deg: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The facts as JSON primitives, the time in ISO 8601."""
        return {**asdict(self), "time": self.time.isoformat() if self.time else None}

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> FrameInfo:
        """The exact inverse of `to_json`; keys that are not known are left out."""
        known = {field.name: facts[field.name] for field in fields(cls) if field.name in facts}
        if known.get("time") is not None:
            known["time"] = datetime.fromisoformat(known["time"])
        return cls(**known)


def parse_header(header: Mapping[str, Any], shape: tuple[int, int]) -> FrameInfo:
    """Read the facts from a header; what is absent or beyond understanding becomes None.

    The time is the first that can be read of DATE-AVG, DATE-OBS (with a time-of-day key where
    it has none), MJD-AVG, MJD-OBS or MJD, JD, DATE-BEG. Those that mark the start are moved
    by half the exposure. TIMESYS is not applied: it moves a night by about a minute as a whole.

    Args:
        header: keyword to value: a dict, or an astropy Header, also a damaged one.
        shape: (height, width) of the image, px.

    Returns:
        The facts; never raises because of a card's content.
    """
    ra_deg, dec_deg = _position(header)
    exposure = next(filter(_is_exposure, map(_seconds, _values(header, *_EXPOSURE_KEYS))), None)
    return FrameInfo(
        height=int(shape[0]),
        width=int(shape[1]),
        time=_mid_time(header, exposure),
        exposure_s=exposure,
        filter=_text(header, *_FILTER_KEYS) or _wheels(header),
        object=_text(header, "OBJECT"),
        telescope=_text(header, "TELESCOP"),
        instrument=_text(header, "INSTRUME"),
        kind=_text(header, *_KIND_KEYS),
        ra_deg=ra_deg,
        dec_deg=dec_deg,
    )


def numbers(header: Mapping[str, Any], *keys: str) -> list[float]:
    """Finite numbers of the keys in turn, also those that are written as text."""
    found = [_seconds(value) for value in _values(header, *keys)]
    return [value for value in found if math.isfinite(value)]


def _values(header: Mapping[str, Any], *keys: str) -> Iterator[Any]:
    """Usable values of the keys in turn, each also spelt with `_` for `-`."""
    for key in dict.fromkeys(spelt for name in keys for spelt in (name, name.replace("-", "_"))):
        try:
            value = header.get(key)
        except (VerifyError, ValueError, UnicodeError):
            continue  # one broken card must not cost the others
        if isinstance(value, str):
            value = value.strip()
        if value != "" and isinstance(value, str | int | float) and not isinstance(value, bool):
            yield value


def _text(header: Mapping[str, Any], *keys: str) -> str | None:
    return next((str(value) for value in _values(header, *keys)), None)


def _position(header: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Right ascension and declination, degrees; both or neither."""
    for ra_key, dec_key in _POSITION_KEYS:
        ra = next((read_degrees(v, hours=True) for v in _values(header, ra_key)), None)
        dec = next((read_degrees(v) for v in _values(header, dec_key)), None)
        # Both zero is what programs write that know no mount.
        if ra is not None and dec is not None and abs(dec) <= 90 and (ra, dec) != (0.0, 0.0):
            return ra % 360, dec
    return None, None


def _wheels(header: Mapping[str, Any]) -> str | None:
    """The filters of several wheels, empty slots left out unless all are empty."""
    names = [str(value) for value in _values(header, *_WHEEL_KEYS)]
    filled = [name for name in names if name.casefold() not in _EMPTY_SLOTS]
    return "+".join(filled) or next(iter(names), None)


def _seconds(value: object) -> float:
    if isinstance(value, str):
        match = _SECONDS.fullmatch(value)
        value = re.sub("[dD]", "e", match[1]) if match else math.nan
    try:
        return float(value)  # type: ignore[arg-type]  # str or number, by _values
    except (ValueError, OverflowError):
        return math.nan


def _is_exposure(seconds: float) -> bool:
    return math.isfinite(seconds) and seconds >= 0


def _mid_time(header: Mapping[str, Any], exposure: float | None) -> datetime | None:
    sources = (
        (_stamp(header, "DATE-AVG"), True),
        (_observed(header), False),
        (_from_mjd(header, 0.0, "MJD-AVG"), True),
        (_from_mjd(header, 0.0, "MJD-OBS", "MJD"), False),
        (_from_mjd(header, _JD_OF_MJD_ZERO, "JD", "JD-OBS"), False),
        (_stamp(header, "DATE-BEG"), False),
    )
    time, is_middle = next(((t, mid) for t, mid in sources if t is not None), (None, True))
    if time is None or is_middle or exposure is None:
        return time
    try:
        return time + timedelta(seconds=exposure / 2)
    except OverflowError:
        return time


def _stamp(header: Mapping[str, Any], key: str) -> datetime | None:
    """A date with a time of day, both in one card."""
    for value in _values(header, key):
        day, clock = _read_stamp(value)
        if day is not None and clock is not None:
            return _add(day, clock)
    return None


def _observed(header: Mapping[str, Any]) -> datetime | None:
    """Start by DATE-OBS, completed by a key that holds the time of day.

    Midnight sharp counts as no time of day where another key knows better: some programs
    write the date that way.
    """
    stamps = [_read_stamp(value) for value in _values(header, "DATE-OBS")]
    day, clock = next(((d, c) for d, c in stamps if d is not None), (None, None))
    if day is not None and clock not in (None, _MIDNIGHT):
        return _add(day, clock)
    for value in _values(header, *_TIME_KEYS):
        whole_day, whole_clock = _read_stamp(value)
        if whole_day is not None and whole_clock is not None:
            return _add(whole_day, whole_clock)
        match = _TIME_OF_DAY.fullmatch(str(value))
        other = _read_clock(match) if match else None
        if day is not None and other is not None:
            return _add(day, other)
    return _add(day, clock)


def _from_mjd(header: Mapping[str, Any], zero: float, *keys: str) -> datetime | None:
    for value in _values(header, *keys):
        mjd = _seconds(value) - zero
        if _MJD_RANGE[0] < mjd < _MJD_RANGE[1]:
            return _MJD_ZERO + timedelta(days=mjd)
    return None


def _read_stamp(value: object) -> tuple[datetime | None, timedelta | None]:
    """Day (00:00 UTC) and time since then; None for what is not there or not valid."""
    for pattern in _STAMPS:
        if match := pattern.fullmatch(str(value)):
            year = int(match["y"]) + (1900 if len(match["y"]) == 2 else 0)
            try:
                day = datetime(year, int(match["m"]), int(match["d"]), tzinfo=UTC)
            except ValueError:
                return None, None
            return day, _read_clock(match)
    return None, None


def _read_clock(match: re.Match[str]) -> timedelta | None:
    """Time of day in UTC since 00:00; an offset from UTC may move it to another day."""
    if match["h"] is None:
        return None
    hours, minutes, seconds = int(match["h"]), int(match["min"]), float(match["s"] or 0)
    clock = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    # 60 s is a leap second, 24:00:00 the end of the day; both are written in earnest.
    if minutes > 59 or seconds >= 61 or clock > timedelta(days=1, seconds=1):
        return None
    return clock - _offset(match["zone"])


def _offset(zone: str | None) -> timedelta:
    if not zone or zone[0] not in "+-":
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return offset if zone[0] == "+" else -offset


def _add(day: datetime | None, clock: timedelta | None) -> datetime | None:
    if day is None or clock is None:
        return None
    try:
        return day + clock
    except OverflowError:
        return None
