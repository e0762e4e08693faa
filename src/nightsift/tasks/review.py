"""`python -m review folder=...`: look at frames and label them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from nightsift.tasks.launch import launch

if TYPE_CHECKING:
    from nightsift.review.state import ReviewState


def run(cfg: DictConfig) -> dict[str, int]:
    """Open the window and wait until it is closed; returns the number of labels of each kind."""
    from nightsift.review.session import start_thumbnails

    state = _state(cfg)
    try:
        thumbnails = start_thumbnails(state, Path(cfg.cache_dir))
        # Matplotlib's import takes as long as the first page: both at the same time.
        from nightsift.review.backend import open_figure, run_until_closed, use_backend
        from nightsift.review.view import ReviewWindow

        use_backend(cfg.backend, port=cfg.port)
        window = ReviewWindow(open_figure(cfg.width, cfg.height), state, thumbnails)
        window.tick()
        try:
            run_until_closed()
        finally:
            window.close()
    finally:
        saved = state.store.close()
    counts = state.counts()
    where = f"written: {state.store.csv}" if saved else f"NOT written: {state.store.problem}"
    print(", ".join(f"{name} {number}" for name, number in counts.items()) + f"; {where}")
    return counts


def open_review(folder: str, **keys: Any) -> Any:
    """Open the window in a notebook (`%matplotlib ipympl`); its cell keeps it alive.

    Args:
        folder: of FITS files.
        **keys: as on the command line, `csv="labels.csv"`, `rows=2`.

    Returns:
        The window; while something holds it, it answers.
    """
    from hydra import compose, initialize_config_dir

    from nightsift.config import register_schemas
    from nightsift.review.backend import open_figure, use_backend
    from nightsift.review.session import start_thumbnails
    from nightsift.review.view import ReviewWindow
    from nightsift.shipped import conf_dir

    register_schemas()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = compose("review", overrides=["run_dir=."])
    for key, value in {"folder": folder, "backend": "ipympl", **keys}.items():
        cfg[key] = value
    use_backend(cfg.backend, port=cfg.port)
    state = _state(cfg)
    thumbnails = start_thumbnails(state, Path(cfg.cache_dir))
    return ReviewWindow(open_figure(cfg.width, cfg.height), state, thumbnails)


def _state(cfg: DictConfig) -> ReviewState:
    from nightsift.review.session import open_state

    return open_state(
        Path(cfg.folder),
        Path(cfg.csv) if cfg.csv else None,
        cache_dir=Path(cfg.cache_dir),
        scores=Path(cfg.scores) if cfg.scores else None,
        keep=cfg.filter,
        order=cfg.order,
        rows=cfg.rows,
        cols=cfg.cols,
        max_gap_h=cfg.max_gap_h,
    )


def main() -> None:
    """The Hydra application."""
    launch("review", run, path_override="folder={}")


if __name__ == "__main__":
    main()
