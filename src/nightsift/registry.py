"""Declared tables of what a room offers, open to other people's packages.

A room (models, transforms, rules, defects, hand-offs...) declares one `Registry`. A file of the
room adds its entry with `add`; a package of somebody else does the same when it is imported,
which the key `plugins=[their_package]` of every task asks for. Names from cards and
configurations are looked up in these tables: nothing that a file names is ever imported.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

from nightsift.errors import NightsiftError

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """Entries of one room by name, in the order in which they were added.

    Args:
        what: of what kind the entries are, for messages: "model", "defect".
        room: package whose modules add the entries when they are imported; they all are at
            the first look-up. Empty for a room that fills its table itself.
    """

    def __init__(self, what: str, room: str = "") -> None:
        self.what = what
        self._room = room
        self._entries: dict[str, T] = {}

    def add(self, name: str, entry: T) -> T:
        """Enter `entry` under `name`; the entry itself is given back.

        Raises:
            NightsiftError: another entry has that name.
        """
        if self._entries.setdefault(name, entry) is not entry:
            raise NightsiftError(f"{self.what} {name!r} is there already: choose another name")
        return entry

    def find(self, name: str) -> T:
        """The entry called `name`.

        Raises:
            NightsiftError: there is none; says which there are.
        """
        self._load()
        if name not in self._entries:
            raise NightsiftError(
                f"unknown {self.what} {name!r}; known: {', '.join(self._entries)} "
                "(plugins=[package] adds those of another package)"
            )
        return self._entries[name]

    def __getitem__(self, name: str) -> T:
        self._load()
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(self._entries)

    def __len__(self) -> int:
        self._load()
        return len(self._entries)

    def _load(self) -> None:
        if self._room:
            room, self._room = self._room, ""
            package = importlib.import_module(room)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{room}.{module.name}")


def load_plugins(names: list[str]) -> None:
    """Import other people's packages, which add to the tables while they are imported.

    Args:
        names: of modules that can be imported; only ever from the user's own configuration.

    Raises:
        NightsiftError: there is no such module.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise NightsiftError(f"plugins: no module {name!r} ({error})") from error
