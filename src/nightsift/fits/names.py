"""Which of the files found a name in a label table means."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from nightsift.errors import NightsiftError
from nightsift.fits.reader import PACKED_SUFFIXES


class FileIndex:
    """Files by path and by name, and by both without the suffix of a packed file.

    Names from tables are compared as text; nothing that a table names is looked up on disk.

    Args:
        files: the files that exist.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self._by_path: tuple[dict[Path, list[Path]], ...] = ({}, {})
        self._by_name: tuple[dict[str, list[Path]], ...] = ({}, {})
        self._real: dict[Path, Path] = {}
        for path in dict.fromkeys(files):
            self._real[path] = path.resolve()
            here = path.absolute()
            places = {_normal(here), here.parent.resolve() / here.name, self._real[path]}
            self._add(path, path.name, places, packed=0)
            if path.suffix.lower() in PACKED_SUFFIXES:
                unpacked = {place.with_suffix("") for place in places}
                self._add(path, path.stem, unpacked, packed=1)

    def find(self, name: str, table: Path, *, elsewhere: bool) -> list[Path]:
        """The file that `name` in the label CSV `table` means, under each path it was given as.

        Args:
            name: a cell of the table.
            table: its path.
            elsewhere: whether a bare name may mean a file outside the table's folder.

        Returns:
            An empty list where none is meant.

        Raises:
            NightsiftError: it could mean several.
        """
        wanted = PurePosixPath(name.replace("\\", "/"))
        folder = table.resolve().parent
        for packed in (0, 1):
            for paths in self._candidates(wanted, folder, packed, elsewhere):
                if not paths:
                    continue
                first, *others = {self._real[path]: path for path in paths}.values()
                if others:
                    raise NightsiftError(
                        f"{table}: {name} could mean {first} or {others[0]}: "
                        "write its path into the table"
                    )
                return paths
        return []

    def _add(self, path: Path, name: str, places: set[Path], *, packed: int) -> None:
        for place in places:
            self._by_path[packed].setdefault(place, []).append(path)
        self._by_name[packed].setdefault(name, []).append(path)

    def _candidates(
        self, wanted: PurePosixPath, folder: Path, packed: int, elsewhere: bool
    ) -> Iterator[list[Path]]:
        """Files that could be meant, the surest reading first."""
        for start in (folder, Path.cwd()):
            yield self._by_path[packed].get(_normal(start / wanted), [])
        named = self._by_name[packed].get(wanted.name, [])
        yield [path for path in named if path.absolute().parent.resolve() == folder]
        # Two nights often hold the same file names: a folder in the row must not be ignored.
        if len(wanted.parts) > 1:
            named = [path for path in named if path.absolute().parent.name == wanted.parent.name]
        yield [path for path in named if folder in path.absolute().parents]
        if elsewhere:
            yield named


def _normal(path: Path) -> Path:
    return Path(os.path.normpath(path))
