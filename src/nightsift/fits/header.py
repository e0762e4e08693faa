"""The few header facts that a frame needs, in the spellings that telescopes really write."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from astropy.io.fits import VerifyError

MJD_EPOCH = datetime(1858, 11, 17, tzinfo=UTC)
_JD_OF_MJD_EPOCH = 2400000.5

_CLOCK_KEYS = ("TIME-OBS", "UT-OBS", "UTSTART", "UTC-OBS", "TIME-BEG", "UT", "UTC")
_EXPOSURE_KEYS = (
    "EXPTIME",
    "EXPOSURE",
    "EXP_TIME",
    "ITIME",
    "ONTIME",
    "ELAPTIME",
    "TELAPSE",
)
_FILTER_KEYS = ("FILTER", "FILTER1", "FILTNAM", "FILTNAM1", "INSFILTE", "FILTERID")

_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?")
_ZONE = re.compile(r"\s*(?:(Z)|UTC?|([+-])(\d{2}):?(\d{2}))?$", re.IGNORECASE)
_ISO_DAY = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
# The form before 1999: DD/MM/YY, always of the 20th century (FITS standard 4.0, section 9).
_OLD_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{2})(?!\d)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FrameInfo:
    """Header facts of one frame; None where the header does not say.

    Attributes:
        height: rows, px.
        width: columns, px.
        time: mid-exposure, UTC.
        exposure_s: exposure time, seconds.
        filter: filter name as written.
        object: target name as written.
        telescope: telescope name as written.
        instrument: camera name as written.
    """

    height: int
    width: int
    time: datetime | None = None
    exposure_s: float | None = None
    filter: str | None = None
    object: str | None = None
    telescope: str | None = None
    instrument: str | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON primitives; `from_json` restores an equal object."""
        return {**dataclasses.asdict(self), "time": self.time and self.time.isoformat()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FrameInfo:
        """Restore what `to_json` gave."""
        stamp = data["time"]
        return cls(**{**data, "time": stamp and datetime.fromisoformat(stamp)})


def parse_header(header: Mapping[str, Any], shape: tuple[int, int]) -> FrameInfo:
    """Collect the header facts; what cannot be read counts as absent.

    The time is the first of DATE-AVG, DATE-OBS (with a clock key where it has no time of
    day), MJD-AVG, MJD-OBS, MJD, JD and DATE-BEG that can be read; half the exposure is added
    to those that mean its start.

    Args:
        header: FITS header or any mapping of upper-case keywords.
        shape: (height, width) of the image, px.
    """
    exposure = _exposure(header)
    return FrameInfo(
        height=shape[0],
        width=shape[1],
        time=_mid_time(header, exposure),
        exposure_s=exposure,
        filter=_first_text(header, _FILTER_KEYS),
        object=_first_text(header, ("OBJECT",)),
        telescope=_first_text(header, ("TELESCOP",)),
        instrument=_first_text(header, ("INSTRUME",)),
    )


def _value(header: Mapping[str, Any], key: str) -> Any:
    """Value of a card, None if it is absent, undefined or beyond parsing."""
    try:
        value = header.get(key)
    except (VerifyError, ValueError, KeyError):
        return None
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else None


def _first_text(header: Mapping[str, Any], keys: tuple[str, ...]) -> str | None:
    texts = (str(_value(header, key) or "").strip() for key in keys)
    return next((text for text in texts if text), None)


def _number(value: Any) -> float | None:
    """A finite number, also from text with a unit behind it."""
    if isinstance(value, str):
        match = re.match(r"\s*([+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)", value)
        value = float(match[1]) if match else None
    return float(value) if value is not None and math.isfinite(value) else None


def _exposure(header: Mapping[str, Any]) -> float | None:
    numbers = (_number(_value(header, key)) for key in _EXPOSURE_KEYS)
    return next((number for number in numbers if number is not None and number >= 0), None)


def _mid_time(header: Mapping[str, Any], exposure_s: float | None) -> datetime | None:
    for stamp, is_start in _times(header):
        if stamp is not None:
            half = timedelta(seconds=(exposure_s or 0.0) / 2 if is_start else 0.0)
            try:
                return stamp + half
            except OverflowError:
                continue
    return None


def _times(header: Mapping[str, Any]) -> Iterator[tuple[datetime | None, bool]]:
    """Candidates in order of trust, each with whether it means the start of the exposure."""
    yield _full_stamp(_value(header, "DATE-AVG")), False
    yield _date_obs(header), True
    yield _days(_value(header, "MJD-AVG"), 0.0), False
    yield _days(_value(header, "MJD-OBS"), 0.0), True
    yield _days(_value(header, "MJD"), 0.0), True
    yield _days(_value(header, "JD"), _JD_OF_MJD_EPOCH), True
    yield _full_stamp(_value(header, "DATE-BEG")), True


def _date_obs(header: Mapping[str, Any]) -> datetime | None:
    """DATE-OBS, completed by a clock key where it has no time of day or a midnight."""
    text = _value(header, "DATE-OBS")
    stamp = _full_stamp(text)
    if stamp is not None and stamp.time() != time(0):
        return stamp
    day = _day(text)
    for key in _CLOCK_KEYS:
        clock = _value(header, key)
        full = _full_stamp(clock)  # some write the whole date here
        if full is not None:
            return full
        offset = _clock(str(clock)) if clock is not None else None
        if day is not None and offset is not None:
            return datetime.combine(day[0], time(0), UTC) + offset
    return stamp


def _full_stamp(value: Any) -> datetime | None:
    """A date with a time of day, in UTC; None without a time of day."""
    found = _day(value)
    if found is None:
        return None
    day, rest = found
    rest = rest.strip()
    clock_text = rest[1:] if rest[:1] in ("T", "t") else rest
    offset = _clock(clock_text)
    if offset is None:
        return None
    zone = _zone(clock_text)
    try:
        return (datetime.combine(day, time(0), UTC) + offset) - zone
    except OverflowError:
        return None


def _day(value: Any) -> tuple[date, str] | None:
    """The date that a text begins with, and the rest of the text."""
    text = str(value).strip() if value is not None else ""
    forms: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], tuple[int, int, int]]], ...] = (
        (_ISO_DAY, lambda m: (int(m[1]), int(m[2]), int(m[3]))),
        (_OLD_DAY, lambda m: (1900 + int(m[3]), int(m[2]), int(m[1]))),
    )
    for pattern, order in forms:
        match = pattern.match(text)
        if match:
            try:
                return date(*order(match)), text[match.end() :]
            except ValueError:
                return None
    return None


def _clock(text: str) -> timedelta | None:
    """Time since midnight; 24:00:00 and a sixtieth second are valid."""
    match = _CLOCK.match(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = int(match[1]), int(match[2]), int(match[3] or 0)
    if hours > 24 or minutes > 59 or seconds > 60:
        return None
    fraction = float(f"0.{match[4]}") if match[4] else 0.0
    return timedelta(hours=hours, minutes=minutes, seconds=seconds + fraction)


def _zone(clock_text: str) -> timedelta:
    """Offset from UTC behind a time of day; zero where none is given."""
    match = _CLOCK.match(clock_text)
    zone = _ZONE.match(clock_text[match.end() :]) if match else None
    if zone is None or zone[2] is None:
        return timedelta(0)
    size = timedelta(hours=int(zone[3]), minutes=int(zone[4]))
    return -size if zone[2] == "-" else size


def _days(value: Any, origin: float) -> datetime | None:
    """A (modified) Julian date; numbers that cannot be one count as absent."""
    number = _number(value)
    if number is None or not 0 < number - origin < 200_000:
        return None
    return MJD_EPOCH + timedelta(days=number - origin)
