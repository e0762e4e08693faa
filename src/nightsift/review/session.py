"""From a folder to what a window shows: frames, labels, scores and pictures; no drawing."""

from __future__ import annotations

from pathlib import Path

from nightsift.errors import NightsiftError
from nightsift.fits.labels import find_label_csvs
from nightsift.review.frames import read_frames, read_scores
from nightsift.review.state import ReviewState
from nightsift.review.store import LabelStore
from nightsift.review.thumbnails import ThumbnailCache

# A page of few tiles has room for larger pictures, px.
_SIDE, _LARGE_SIDE = 320, 800


def open_state(
    folder: Path,
    csv: Path | None = None,
    *,
    cache_dir: Path,
    scores: Path | None = None,
    keep: str = "bad",
    order: str = "time",
    rows: int = 3,
    cols: int = 3,
    max_gap_h: float = 4.0,
) -> ReviewState:
    """Read a night and its labels.

    Args:
        folder: of FITS files.
        csv: the label table; None finds it in the folder, or begins `labels.csv` there.
        cache_dir: root of all caches.
        scores: predictions.csv or candidates.csv; None for none.
        keep: filter to begin with.
        order: order to begin with.
        rows: of the grid.
        cols: of the grid.
        max_gap_h: a longer pause begins another night, hours.

    Raises:
        NightsiftError: something of this cannot be used; nothing was written.
    """
    frames = read_frames(folder, max_gap_h=max_gap_h)
    files = [frame.path for frame in frames]
    table = read_scores(scores, files) if scores else None
    store = LabelStore(csv or default_csv(folder), files, fallback_dir=cache_dir / "review")
    try:
        shape = {"rows": rows, "cols": cols}
        return ReviewState(frames, store, scores=table, keep=keep, order=order, **shape)
    except NightsiftError:
        store.close()
        raise


def start_thumbnails(state: ReviewState, cache_dir: Path) -> ThumbnailCache:
    """Begin with the pictures of the first page; the window may take its time to be imported.

    Args:
        state: which frames are on the page, and how many.
        cache_dir: root of all caches.
    """
    side = _SIDE if max(state.rows, state.cols) > 2 else _LARGE_SIDE
    thumbnails = ThumbnailCache(cache_dir, side=side)
    thumbnails.want([state.path(frame) for frame in state.page_frames()])
    return thumbnails


def default_csv(folder: Path) -> Path:
    """The label table of a folder, or where it is to be.

    Raises:
        NightsiftError: there are several.
    """
    here = folder if folder.is_dir() else folder.parent
    found = find_label_csvs(here)
    beside = [path for path in found if path.parent == here]
    if len(beside or found) > 1:
        names = ", ".join(str(path.relative_to(here)) for path in beside or found)
        raise NightsiftError(f"{here} has several label tables: {names}; give csv=FILE")
    return (beside or found or [here / "labels.csv"])[0]
