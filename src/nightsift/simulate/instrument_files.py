"""Instruments from YAML files, by name or by path."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from omegaconf import OmegaConf

from nightsift.errors import NightsiftError
from nightsift.shipped import conf_dir
from nightsift.simulate.instrument import Instrument

_SUFFIXES = (".yaml", ".yml")


def shipped_instruments() -> list[str]:
    """Names of the instruments that ship with the package."""
    return sorted(path.stem for path in _shipped().glob("*.yaml"))


def read_instruments(names: Sequence[str], *, folders: Sequence[Path] = ()) -> list[Instrument]:
    """Read instruments.

    Args:
        names: of instruments that ship or lie in `folders`, or paths of YAML files; none for
            all that ship.
        folders: of more YAML files, known by their names without suffix.

    Raises:
        NightsiftError: no such instrument, a key is missing, or a value impossible.
        OmegaConfBaseException: a key is unknown or a value of the wrong type.
    """
    files = {
        path.stem: path
        for folder in (*reversed(folders), _shipped())
        for path in sorted(folder.glob("*.yaml"))
    }
    instruments = []
    for name in names or shipped_instruments():
        path = Path(name) if Path(name).suffix in _SUFFIXES else files.get(name)
        if path is None:
            raise NightsiftError(
                f"no such instrument: {name}; expected a YAML file or one of "
                f"{', '.join(sorted(files))}"
            )
        instruments.append(_read(path))
    return instruments


def _shipped() -> Path:
    return conf_dir() / "instrument"


def _read(path: Path) -> Instrument:
    cfg = OmegaConf.merge(OmegaConf.structured(Instrument), OmegaConf.load(path))
    missing = sorted(OmegaConf.missing_keys(cfg))
    if missing:
        raise NightsiftError(f"{path}: missing: {', '.join(missing)}")
    return cast("Instrument", OmegaConf.to_object(cfg))
