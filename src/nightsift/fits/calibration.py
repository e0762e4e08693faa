"""Bias, dark and flat frames that lie among the frames of the sky."""

from __future__ import annotations

import re
from pathlib import Path

from nightsift.fits.header import FrameInfo

# A frame with this many stars shows the sky, whatever its header or its name says: dark frames
# of warm cameras have clusters of hot pixels, flat frames have dust.
_STARS_AGAINST_HEADER, _STARS_AGAINST_NAME = 100, 8

_KINDS = {
    "bias": ("bias", "zero", "offset"),
    "dark": ("dark",),
    "flat": ("flat", "skyflat", "domeflat", "twiflat", "flats"),
}
_WORDS = {
    word: kind for kind, words in _KINDS.items() for word in (*words, *(f"{w}s" for w in words))
}


def calibration_kind(path: Path, info: FrameInfo, n_stars: float) -> str:
    """What calibration frame a file is, or "".

    The header decides by its image type; without one, words of the file's and its folder's
    names do. A frame that plainly shows stars is none.

    Args:
        path: the file.
        info: its header facts.
        n_stars: stars found on it; NaN counts as none.

    Returns:
        "bias", "dark", "flat" or "".
    """
    if n_stars >= (_STARS_AGAINST_HEADER if info.kind else _STARS_AGAINST_NAME):
        return ""
    texts = [info.kind] if info.kind else [path.name, path.parent.name]
    words = (word for text in texts for word in re.findall("[a-z]+", text.casefold()))
    return next((_WORDS[word] for word in words if word in _WORDS), "")
