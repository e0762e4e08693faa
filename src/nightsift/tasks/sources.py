"""What several tasks share about their input: built-in data, progress, and weights to use."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from nightsift.errors import NightsiftError

if TYPE_CHECKING:
    import pandas as pd

    from nightsift.data.cache import TensorCache
    from nightsift.data.catalogue import Catalogue, Sources
    from nightsift.models.card import ModelCard
    from nightsift.models.weights import LoadedModel

log = logging.getLogger(__name__)


def ensure_data(cfg: DictConfig) -> None:
    """Without data keys, make the synthetic campaign (or find it made) and use that."""
    if cfg.data.mixed_dirs or cfg.data.seq_dirs:
        return
    from hydra.utils import instantiate

    from nightsift.simulate.campaign import campaign_record, make_campaign
    from nightsift.tasks.instruments import load_instruments

    spec = instantiate(cfg.simulate, _convert_="all")
    instruments = load_instruments(spec.instruments)
    digest = hashlib.sha256(campaign_record(spec, instruments).encode()).hexdigest()[:12]
    out = Path(cfg.cache_dir) / f"campaign-{digest}"
    with progress_bar("simulating nights") as progress:
        campaign = make_campaign(out, spec, instruments, progress=progress)
    log.info("no data keys given: using the synthetic campaign in %s", out)
    cfg.data.mixed_dirs = [str(campaign.mixed_dir)]
    cfg.data.seq_dirs = [str(campaign.seq_dir)]


@contextmanager
def progress_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal, nothing elsewhere; yields `update(done, total)`."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn())
    # Without a thread of its own: processes can then be forked.
    bar = Progress(*columns, console=console, auto_refresh=False, disable=not console.is_terminal)
    with bar as progress:
        task = progress.add_task(what, total=None)

        def update(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total, refresh=True)

        yield update


def load_for_use(cfg: DictConfig) -> LoadedModel:
    """The weights that `ckpt` names, with what the command line says otherwise on the card.

    `data.transform`, `data.img_size`, `data.window`, `fusion.*` and a numeric `threshold`
    replace what the card holds; the model goes to `device`.
    """
    import torch

    from nightsift.models.weights import load_weights

    loaded = load_weights(cfg.ckpt)
    device = cfg.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return loaded._replace(model=loaded.model.to(device), card=_as_told(cfg, loaded.card))


def card_for_use(cfg: DictConfig) -> ModelCard:
    """The card of `load_for_use`, without the weights where it can be had without torch."""
    from nightsift.models.locate import read_card

    card = read_card(cfg.ckpt)
    return load_for_use(cfg).card if card is None else _as_told(cfg, card)


def _as_told(cfg: DictConfig, card: ModelCard) -> ModelCard:
    from hydra.utils import instantiate

    transform = card.transform
    if cfg.data.transform is not None:
        transform = instantiate(cfg.data.transform).spec()
    given = {str(key): value for key, value in cfg.fusion.items() if value is not None}
    changed = dataclasses.replace(
        card,
        transform=transform,
        img_size=cfg.data.img_size or card.img_size,
        window=cfg.data.window or card.window,
        fusion={**card.fusion, **given},
    )
    return changed.with_threshold(_threshold(cfg.threshold, card.threshold))


def make_sources(cfg: DictConfig, card: ModelCard) -> tuple[Sources, TensorCache]:
    """Where the frames that `data` names are, and the cache of their tensors for `card`."""
    from nightsift.data.cache import TensorCache
    from nightsift.data.catalogue import Sources
    from nightsift.look.transforms import build_transform

    data = cfg.data
    cache = TensorCache(
        Path(cfg.cache_dir),
        build_transform(card.transform),
        img_size=card.img_size,
        workers=data.workers,
    )
    sources = Sources(
        mixed_dirs=[Path(folder) for folder in data.mixed_dirs],
        seq_dirs=[Path(folder) for folder in data.seq_dirs],
        label_csv=[Path(data.label_csv)] if data.label_csv else [],
        label_dirs=[Path(folder) for folder in data.label_dirs],
        labels_from_names=data.labels_from_names,
        max_gap_h=data.max_gap_h,
    )
    return sources, cache


def read_catalogue(cfg: DictConfig, loaded: LoadedModel) -> tuple[Catalogue, TensorCache]:
    """The frames that `data` names, as tensors for `loaded`."""
    from nightsift.data.catalogue import build_catalogue
    from nightsift.data.inputs import attach_inputs
    from nightsift.data.windows import check_window
    from nightsift.look.store import MEASURED

    check_window(loaded.card.window)
    sources, cache = make_sources(cfg, loaded.card)
    with progress_bar("reading frames") as progress:
        catalogue = build_catalogue(sources, cache, progress=progress)
    if loaded.model.uses_inputs:
        with progress_bar("measuring frames") as progress:
            attach_inputs(
                catalogue,
                Path(cfg.cache_dir) / MEASURED,
                workers=cfg.data.workers,
                progress=progress,
            )
    log.info("%s", catalogue.summary())
    return catalogue, cache


def score(
    cfg: DictConfig, loaded: LoadedModel, catalogue: Catalogue, cache: TensorCache
) -> pd.DataFrame:
    """The table of predictions of `catalogue`, under a progress bar."""
    from nightsift.training.evaluation import predict_catalogue

    with progress_bar("scoring") as progress:
        return predict_catalogue(
            loaded.model,
            loaded.card,
            cache,
            catalogue,
            batch=cfg.data.frame_batch,
            progress=progress,
        )


def _threshold(value: object, stored: float) -> float:
    if value == "auto":
        return stored
    try:
        return float(str(value))
    except ValueError:
        raise NightsiftError(f"threshold={value}: expected auto or a number") from None
