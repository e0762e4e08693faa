"""Instruments as a task finds them: those that ship, and those in the user's own `conf/`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig

if TYPE_CHECKING:
    from nightsift.simulate.instrument import Instrument


def load_instruments(names: Sequence[str]) -> list[Instrument]:
    """Read instruments, also from the folders `instrument/` of Hydra's search path.

    Args:
        names: of instruments, or paths of YAML files; none for all that ship.

    Raises:
        NightsiftError: no such instrument, a key is missing, or a value impossible.
        OmegaConfBaseException: a key is unknown or a value of the wrong type.
    """
    from nightsift.simulate.instrument_files import read_instruments

    return read_instruments(names, folders=_folders())


def _folders() -> list[Path]:
    if not HydraConfig.initialized():
        return []
    sources = HydraConfig.get().runtime.config_sources
    found = [Path(source.path) for source in sources if source.schema == "file"]
    found += [
        Path(str(resources.files(source.path.replace("/", "."))))
        for source in sources
        if source.schema == "pkg"
    ]
    return [folder / "instrument" for folder in found]
