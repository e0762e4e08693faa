"""Which nights are one series: the same telescope, camera, filter and field, whatever the gaps."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nightsift.fits.header import FrameInfo
from nightsift.night.naming import same_name

# Coordinates of one target differ by no more in headers of one telescope, degrees; names that
# are the same mean another field (an asteroid, "field 1" of two observers) from the second on.
_SAME_DEG, _ELSEWHERE_DEG = 0.1, 1.0


# Beside nights that were made of given frames: the same frames changed in many ways, which are to
# be compared with their like alone.
MADE_RECORDS = ("injection.json", "copies.json")


class SetUp(NamedTuple):
    """What frames have in common that can be compared at all; names without their spelling."""

    origin: str
    telescope: str
    camera: str
    filter: str
    height: int
    width: int


class _Place(NamedTuple):
    """What is known of the field of some nights."""

    target: str
    folder: Path
    position: np.ndarray | None


def set_up(folder: Path, info: FrameInfo) -> SetUp:
    """Telescope, camera, filter and image size of a frame, and what it was made with."""
    telescope, camera, colour = map(same_name, (info.telescope, info.instrument, info.filter))
    return SetUp(_origin(folder), telescope, camera, colour, info.height, info.width)


@functools.lru_cache(maxsize=4096)
def _origin(folder: Path) -> str:
    """The folder that was made together with this one; "" for frames of a telescope."""
    made = any((folder.parent / record).exists() for record in MADE_RECORDS)
    return str(folder.parent) if made else ""


def find_series(nights: Sequence[tuple[Path, Sequence[FrameInfo]]]) -> list[int]:
    """Number of the series of each night, from 0 in order of their first nights.

    The field is the target's name; where names miss, or one holds the other (`W Cep`, `V* W Cep`),
    the coordinates of the headers tell, if both nights have them. Nights in different folders
    are one series only where telescope or camera, and the field, are known; those of one
    folder without name and coordinates are one until their stars say otherwise.

    Args:
        nights: folder and header facts of each.
    """
    known: dict[SetUp, list[tuple[_Place, int]]] = {}
    seen: dict[tuple[object, ...], int] = {}
    numbers: list[int] = []
    for folder, infos in nights:
        common, place = set_up(folder, infos[0]), _place(folder, infos)
        position = None if place.position is None else tuple(place.position)
        key = (common, place.target, place.folder, position)
        if key not in seen:
            named = bool(common.telescope or common.camera)
            others = known.setdefault(common, [])
            seen[key] = next(
                (number for other, number in others if _one_field(place, other, named=named)),
                max(numbers, default=-1) + 1,
            )
            others.append((place, seen[key]))
        numbers.append(seen[key])
    return numbers


def field_is_known(infos: Iterable[FrameInfo]) -> bool:
    """Whether a header says where one of the frames points."""
    return any(same_name(info.object) or info.ra_deg is not None for info in infos)


def _place(folder: Path, infos: Sequence[FrameInfo]) -> _Place:
    for info in infos:
        if info.ra_deg is not None and info.dec_deg is not None:
            ra, dec = np.radians([info.ra_deg, info.dec_deg])
            position = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
            return _Place(same_name(infos[0].object), folder, position)
    return _Place(same_name(infos[0].object), folder, None)


def _one_field(one: _Place, other: _Place, *, named: bool) -> bool:
    if one.folder != other.folder and not named:
        return False
    apart = None
    if one.position is not None and other.position is not None:
        chord = float(np.linalg.norm(one.position - other.position))
        apart = float(np.degrees(2 * np.arcsin(min(chord / 2, 1.0))))
    if one.target and one.target == other.target:
        return apart is None or apart < _ELSEWHERE_DEG
    if apart is not None:
        # "" is part of every name.
        return apart < _SAME_DEG and (one.target in other.target or other.target in one.target)
    return not (one.target or other.target) and one.folder == other.folder
