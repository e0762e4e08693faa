"""The whole of `python -m predict` as one function."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def judge(
    folder: str | Path,
    *,
    ckpt: str | Path = "pretrained",
    threshold: float | None = None,
    cache_dir: str | Path | None = None,
    workers: int = 0,
) -> pd.DataFrame:
    """Judge every frame below a folder; nothing is written into it.

    Args:
        folder: a night, a folder of nights, or a single FITS file.
        ckpt: `pretrained` for the shipped weights, or a run folder, `.ckpt`, `.pt` or
            `.safetensors`.
        threshold: fused probability from which a frame is bad, 0-1; None for the weights' own.
        cache_dir: where to keep what was read, so that the next call is quick; None keeps
            nothing.
        workers: frames read at the same time, in threads; 0 means one per core.

    Returns:
        One row per file in time order: `file`, `prob_bad`, `verdict` (good, review, bad, or ""
        for what could not be judged), `reason`, `explanation`, and the other columns of
        predictions.csv.

    Raises:
        NightsiftError: no such folder, no frames in it, or weights that cannot be used.
    """
    from nightsift.data.cache import TensorCache
    from nightsift.data.catalogue import Sources
    from nightsift.look.store import MEASURED
    from nightsift.look.transforms import build_transform
    from nightsift.models.weights import load_weights
    from nightsift.sorting.night import sort_frames

    loaded = load_weights(ckpt)
    if threshold is not None:
        loaded = loaded._replace(card=loaded.card.with_threshold(threshold))
    with _kept(cache_dir) as cache:
        night = sort_frames(
            Sources(seq_dirs=[Path(folder)]),
            TensorCache(
                cache,
                build_transform(loaded.card.transform),
                img_size=loaded.card.img_size,
                workers=workers,
            ),
            lambda: loaded,
            cache / MEASURED,
            bar=_no_bar,
            workers=workers,
            processes=False,
        )
    return night.table


@contextmanager
def _kept(cache_dir: str | Path | None) -> Iterator[Path]:
    if cache_dir is not None:
        yield Path(cache_dir)
        return
    with tempfile.TemporaryDirectory(prefix="nightsift-") as folder:
        yield Path(folder)


@contextmanager
def _no_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    del what
    yield lambda done, total: None
