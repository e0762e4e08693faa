"""Which key does what."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nightsift.review.actions import Actions


class Command(NamedTuple):
    """What a key does.

    Attributes:
        keys: names as matplotlib gives them, the first one shown in the help.
        text: for the help.
        run: does it.
        large: whether it also works over a large frame.
    """

    keys: tuple[str, ...]
    text: str
    run: Callable[[Actions], None]
    large: bool = False


COMMANDS = (
    Command(("g",), "good", lambda a: a.judge(0), True),
    Command(("b",), "bad", lambda a: a.judge(1), True),
    Command(("u",), "unlabelled", lambda a: a.judge(None), True),
    Command(("n",), "type a note", lambda a: a.type_note(), True),
    Command(("space", " "), "select and step on", lambda a: a.state.mark()),
    Command(("z", "ctrl+z"), "undo", lambda a: a.state.undo(), True),
    Command(("y", "ctrl+y"), "redo", lambda a: a.state.redo(), True),
    Command(("left",), "one frame back", lambda a: a.step(-1), True),
    Command(("right",), "one frame on", lambda a: a.step(1), True),
    Command(("up",), "one row up", lambda a: a.step(-a.state.cols)),
    Command(("down",), "one row down", lambda a: a.step(a.state.cols)),
    Command(("shift+left",), "select backwards", lambda a: a.step(-1, extend=True)),
    Command(("shift+right",), "select onwards", lambda a: a.step(1, extend=True)),
    Command(("shift+up",), "select a row up", lambda a: a.step(-a.state.cols, extend=True)),
    Command(("shift+down",), "select a row down", lambda a: a.step(a.state.cols, extend=True)),
    Command(("pagedown", "]"), "next page", lambda a: a.state.turn(1)),
    Command(("pageup", "["), "previous page", lambda a: a.state.turn(-1)),
    Command(("home",), "first frame", lambda a: a.step(-(10**9))),
    Command(("end",), "last frame", lambda a: a.step(10**9)),
    Command(("a", "ctrl+a"), "select the page", lambda a: a.state.select(a.state.page_frames())),
    Command(("escape",), "drop the selection, or leave", lambda a: a.leave(), True),
    Command(("enter",), "one frame large, and back", lambda a: a.toggle_large(), True),
    Command((".",), "blink through neighbours in time", lambda a: a.toggle_blink(), True),
    Command(("t",), "same stretch for the whole night", lambda a: a.toggle_stretch(), True),
    Command(("f",), "next filter", lambda a: a.next_filter()),
    Command(("o",), "next order", lambda a: a.next_order()),
    Command(("r",), "choose the frames anew", lambda a: a.state.show()),
    Command(("/",), "find a file by part of its name", lambda a: a.type_search()),
    Command(("s", "ctrl+s"), "save now", lambda a: a.save(), True),
    Command(("+", "="), "zoom in (also the wheel)", lambda a: a.large.zoom(0.5), True),
    Command(("-",), "zoom out", lambda a: a.large.zoom(2.0), True),
    Command(("0",), "whole frame", lambda a: a.large.reset(), True),
    Command(("?", "h", "f1"), "all keys", lambda a: a.toggle_help(), True),
)
_BY_KEY = {key: command for command in COMMANDS for key in command.keys}


def command_for(key: str, *, large: bool) -> Command | None:
    """The command of a key; capital letters count as small ones."""
    command = _BY_KEY.get(key) or _BY_KEY.get(key.casefold())
    return command if command and (command.large or not large) else None


def plain_key(key: str | None) -> str:
    """One name for what backends call by several: `shift+?` is `?`, `return` is `enter`."""
    key = key or ""
    if key.startswith("shift+") and len(key) == len("shift+") + 1:
        key = key[-1]
    return {"return": "enter", "esc": "escape", "page_up": "pageup", "page_down": "pagedown"}.get(
        key, key
    )
