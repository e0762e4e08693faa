"""The rooms of CONTRIBUTING.md are those of the package, and imports go the way it says."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "nightsift"
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
# Room to the rooms that it stands on.
ROOMS = {
    room: set(re.findall(r"`(\w+)`", below))
    for room, below in re.findall(r"^\| `(\w+)` \|.*\|([^|]*)\|$", PAGE, re.M)
}


def sources(room: str) -> dict[str, str]:
    files = (PACKAGE / room).rglob("*.py")
    return {path.relative_to(PACKAGE).as_posix(): path.read_text("utf-8") for path in files}


def test_every_room_has_a_row():
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir()} - {"__pycache__"}
    assert set(ROOMS) == folders


def test_imports_go_one_way():
    assert list(TopologicalSorter(ROOMS).static_order())  # else it raises CycleError
    wrong = [
        (file, used)
        for room in ROOMS.keys() - {"tasks"}
        for file, text in sources(room).items()
        for used in re.findall(r"(?:from|import) nightsift\.(\w+)", text)
        if used in ROOMS and used != room and used not in ROOMS[room]
    ]
    assert wrong == []


def test_frameworks_are_known_where_the_page_says():
    allowed = {
        "hydra": ("tasks/", "config/"),
        "omegaconf": ("tasks/", "config/", "simulate/instrument_files.py", "report/sweep.py"),
        "pytorch_lightning": ("data/", "training/", "tasks/"),
    }
    wrong = [
        (file, used)
        for room in ROOMS
        for file, text in sources(room).items()
        for used in re.findall(
            r"^ *(?:from|import) (hydra|omegaconf|pytorch_lightning)\b", text, re.M
        )
        if not file.startswith(allowed[used])
    ]
    assert wrong == []
