"""Where a frame points, from the ways in which headers write it."""

from __future__ import annotations

import math
import re

_SEXAGESIMAL = re.compile(
    r"(?P<sign>[+-]?)\s*(?P<first>\d{1,3})[\s:hd]+(?P<min>\d{1,2})(?:[\s:m']+(?P<s>\d{1,2}(?:\.\d*)?))?"
    r"\s*[s\"]?",
    re.A | re.I,
)


def read_degrees(value: object, *, hours: bool = False) -> float | None:
    """Degrees from a number (degrees) or from `12:34:56.7`, `12 34 56.7`, `12h34m56.7s`.

    Args:
        value: of a header card.
        hours: a sexagesimal text counts hours, as right ascensions do.

    Returns:
        None for what is no angle of at most 360 degrees.

    Example:
        >>> read_degrees("4:52:22.0", hours=True)
        73.09166666666667
        >>> read_degrees("-69:18:29") == -(69 + 18 / 60 + 29 / 3600)
        True
    """
    text = str(value).strip()
    if match := _SEXAGESIMAL.fullmatch(text):
        size = int(match["first"]) + int(match["min"]) / 60 + float(match["s"] or 0) / 3600
        degrees = (-size if match["sign"] == "-" else size) * (15 if hours else 1)
    else:
        try:
            degrees = float(text)
        except ValueError:
            return None
    return degrees if math.isfinite(degrees) and abs(degrees) <= 360 else None
