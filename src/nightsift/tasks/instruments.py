"""Instruments by name or by file, and the campaign that a configuration asks for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from omegaconf import OmegaConf

from nightsift.config import conf_dir
from nightsift.errors import NightsiftError

if TYPE_CHECKING:
    from nightsift.simulate.instrument import Instrument


def shipped_instruments() -> list[str]:
    """Names of the instruments that ship with the package."""
    return sorted(path.stem for path in (conf_dir() / "instrument").glob("*.yaml"))


def load_instruments(names: Sequence[str]) -> list[Instrument]:
    """Read instruments.

    Args:
        names: of shipped instruments, or paths of YAML files; none for all that ship.

    Raises:
        NightsiftError: no such instrument, a key is missing or unknown, or a value impossible.
    """
    return [_load(name) for name in names or shipped_instruments()]


def _load(name: str) -> Instrument:
    from nightsift.simulate.instrument import Instrument

    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if name not in shipped_instruments():
            raise NightsiftError(
                f"no such instrument: {name}; expected a YAML file or one of "
                f"{', '.join(shipped_instruments())}"
            )
        path = conf_dir() / "instrument" / f"{name}.yaml"
    cfg = OmegaConf.merge(OmegaConf.structured(Instrument), OmegaConf.load(path))
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise NightsiftError(f"{path}: missing: {', '.join(missing)}")
    return cast("Instrument", OmegaConf.to_object(cfg))
