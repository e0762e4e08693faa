"""What several tasks share about their input: built-in data, folders, and weights to use."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from nightsift.errors import NightsiftError
from nightsift.tasks.progress import progress_bar

if TYPE_CHECKING:
    from nightsift.models.card import ModelCard
    from nightsift.models.weights import LoadedModel
    from nightsift.night.sources import Sources

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


def add_real_nights(cfg: DictConfig) -> None:
    """Put the nights of `real.nights`, and what is made of them, beside the other ones."""
    if not cfg.real.nights:
        return
    from hydra.utils import instantiate

    from nightsift.simulate.real_campaign import make_real_campaign

    spec = instantiate(cfg.real, _convert_="all")
    with progress_bar("nights made of real ones") as progress:
        folders = make_real_campaign(Path(cfg.cache_dir) / "real", spec, progress=progress)
    log.info("%d folders of real nights and of what was made of them", len(folders))
    cfg.data.seq_dirs = [*cfg.data.seq_dirs, *map(str, folders)]


def make_sources(cfg: DictConfig) -> Sources:
    """Where the frames and labels that `data` names are."""
    from nightsift.night.sources import Sources

    data = cfg.data
    return Sources(
        mixed_dirs=[Path(folder) for folder in data.mixed_dirs],
        seq_dirs=[Path(folder) for folder in data.seq_dirs],
        label_csv=[Path(data.label_csv)] if data.label_csv else [],
        label_dirs=[Path(folder) for folder in data.label_dirs],
        labels_from_names=data.labels_from_names,
        max_gap_h=data.max_gap_h,
    )


def load_for_use(cfg: DictConfig) -> LoadedModel:
    """The weights that `ckpt` names, with the card of `card_for_use`, on `device`."""
    import torch

    from nightsift.models.weights import load_weights

    loaded = load_weights(cfg.ckpt)
    device = cfg.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return loaded._replace(model=loaded.model.to(device), card=_with_overrides(cfg, loaded.card))


def card_for_use(cfg: DictConfig) -> ModelCard:
    """The card of the weights, with what the command line says otherwise.

    `data.transform`, `data.img_size`, `data.window`, `fusion.*` and a numeric `threshold`
    replace what the card holds. The weights are only loaded where the card cannot be had
    without them: torch takes seconds to import.
    """
    from nightsift.models.locate import read_card

    card = read_card(cfg.ckpt)
    return load_for_use(cfg).card if card is None else _with_overrides(cfg, card)


def _with_overrides(cfg: DictConfig, card: ModelCard) -> ModelCard:
    from hydra.utils import instantiate

    from nightsift.data.windows import check_window

    changes: dict[str, Any] = {}
    if cfg.data.transform is not None:
        changes["transform"] = instantiate(cfg.data.transform).spec()
    for key in ("img_size", "window"):
        if cfg.data[key] is not None:
            changes[key] = cfg.data[key]
    check_window(changes.get("window", card.window))
    given = {str(key): value for key, value in cfg.fusion.items() if value is not None}
    changes["fusion"] = {**card.fusion, **given}
    card = dataclasses.replace(card, **changes)
    return card if cfg.threshold == "auto" else card.with_threshold(_number(cfg.threshold))


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        raise NightsiftError(f"threshold={value}: expected auto or a number") from None
