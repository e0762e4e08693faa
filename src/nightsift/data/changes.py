"""Planes of what changed, kept on disk: training asks for them in every epoch."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from nightsift.errors import NightsiftError
from nightsift.files import replacing
from nightsift.look.database import unusable
from nightsift.look.look import Wanted
from nightsift.look.parallel import FRAMES_WORTH_PROCESSES, make_pool, worker_count
from nightsift.look.transforms import Transform
from nightsift.look.transforms.two_scale import TwoScale
from nightsift.night.changes import PLANES, VERSION, NightChanges
from nightsift.night.night import Night

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.intp]

# Frames whose planes are made at once.
_PART = 64


class Planes(Protocol):
    """Gives the planes of some frames of a night."""

    def planes(self, rows: Rows) -> Floats:
        """(B, P, S, S) float32."""
        ...


class KeptChanges:
    """Planes of `NightChanges` that lie in a file as float16.

    Args:
        path: (N, P, S, S) as numpy keeps it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def planes(self, rows: Rows) -> Floats:
        """(B, P, S, S) float32 of some frames.

        Raises:
            NightsiftError: the cache was deleted meanwhile.
        """
        try:
            kept = np.load(self.path, mmap_mode="r")
        except OSError as error:
            raise NightsiftError(f"{self.path} is gone: run again") from error
        return np.asarray(kept[rows], dtype=np.float32)


def live_changes(night: Night, transform: Transform | None) -> Planes:
    """Planes of a night, made when they are asked for.

    Raises:
        NightsiftError: the transform is not `two_scale`, whose planes are compared.
    """
    if not isinstance(transform, TwoScale):
        raise NightsiftError("data.changes compares the planes of data/transform=two_scale")
    return NightChanges(night, transform.softening)


def kept_changes(
    nights: Sequence[Night],
    wanted: Wanted,
    cache_dir: Path,
    *,
    workers: int = 0,
    processes: bool = False,
) -> list[Planes]:
    """Planes of all nights, made once and kept in `cache_dir/changes`.

    Args:
        nights: read with `wanted`.
        wanted: says how their tensors were made.
        cache_dir: root of all caches.
        workers: nights at the same time; 0 means one per core.
        processes: in processes, where there are enough frames to be worth it.

    Raises:
        NightsiftError: the transform is not `two_scale`, or the cache cannot be written.
    """
    folder = cache_dir / "changes"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(folder, error.strerror) from error
    frames = sum(map(len, nights))
    if not processes or frames < FRAMES_WORTH_PROCESSES:
        return [_keep(folder, wanted, night) for night in nights]
    # Nights of one series go to one process: they share their template.
    units: dict[str, list[Night]] = {}
    for night in nights:
        units.setdefault(night.unit, []).append(night)
    with make_pool(worker_count(workers), frames, processes=True) as pool:
        made = pool.map(functools.partial(_keep_all, folder, wanted), units.values(), chunksize=2)
        kept = {night.name: planes for unit, own in zip(units.values(), made, strict=True)
                for night, planes in zip(unit, own, strict=True)}  # fmt: skip
    return [kept[night.name] for night in nights]


def _keep_all(folder: Path, wanted: Wanted, nights: Sequence[Night]) -> list[Planes]:
    return [_keep(folder, wanted, night) for night in nights]


def _keep(folder: Path, wanted: Wanted, night: Night) -> Planes:
    path = folder / f"{_key(night, wanted)}.npy"
    if path.exists():
        return KeptChanges(path)
    changes = live_changes(night, wanted.transform)
    side = wanted.img_size
    with replacing(path) as temporary:
        out = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.float16, shape=(len(night), PLANES, side, side)
        )
        for first in range(0, len(night), _PART):
            rows = np.arange(first, min(first + _PART, len(night)))
            out[rows] = changes.planes(rows)
        out.flush()
    return KeptChanges(path)


def _key(night: Night, wanted: Wanted) -> str:
    """Changes with everything that the planes of a night are made of."""
    numbers = night.features.select_dtypes("number").to_numpy(dtype=float)
    infos = [look.info.to_json() for look in night.looks if look.info]
    if night.share is not None:
        others = night.share.features.select_dtypes("number").to_numpy(dtype=float)
        numbers = np.concatenate([numbers.ravel(), others.ravel()])
    facts = [VERSION, wanted.tensor_key, [str(file) for file in night.files], infos]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
    digest.update(np.ascontiguousarray(numbers).tobytes())
    return digest.hexdigest()[:24]
