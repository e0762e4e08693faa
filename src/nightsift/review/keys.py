"""Which key does what, and text typed in the window."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from nightsift.review.view import ReviewWindow


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
    run: Callable[[ReviewWindow], None]
    large: bool = False


COMMANDS = (
    Command(("g",), "good", lambda w: w.judge(0), True),
    Command(("b",), "bad", lambda w: w.judge(1), True),
    Command(("u",), "unlabelled", lambda w: w.judge(None), True),
    Command(("n",), "type a note", lambda w: w.type_note(), True),
    Command(("space", " "), "select and step on", lambda w: w.state.mark()),
    Command(("z", "ctrl+z"), "undo", lambda w: w.state.undo(), True),
    Command(("y", "ctrl+y"), "redo", lambda w: w.state.redo(), True),
    Command(("left",), "one frame back", lambda w: w.step(-1), True),
    Command(("right",), "one frame on", lambda w: w.step(1), True),
    Command(("up",), "one row up", lambda w: w.step(-w.state.cols)),
    Command(("down",), "one row down", lambda w: w.step(w.state.cols)),
    Command(("shift+left",), "select backwards", lambda w: w.step(-1, extend=True)),
    Command(("shift+right",), "select onwards", lambda w: w.step(1, extend=True)),
    Command(("shift+up",), "select a row up", lambda w: w.step(-w.state.cols, extend=True)),
    Command(("shift+down",), "select a row down", lambda w: w.step(w.state.cols, extend=True)),
    Command(("pagedown", "]"), "next page", lambda w: w.state.turn(1)),
    Command(("pageup", "["), "previous page", lambda w: w.state.turn(-1)),
    Command(("home",), "first frame", lambda w: w.step(-(10**9))),
    Command(("end",), "last frame", lambda w: w.step(10**9)),
    Command(("a", "ctrl+a"), "select the page", lambda w: w.state.select(w.state.page_frames())),
    Command(("escape",), "drop the selection, or leave", lambda w: w.leave(), True),
    Command(("enter",), "one frame large, and back", lambda w: w.toggle_large(), True),
    Command((".",), "blink through neighbours in time", lambda w: w.toggle_blink(), True),
    Command(("t",), "same stretch for the whole night", lambda w: w.toggle_stretch(), True),
    Command(("f",), "next filter", lambda w: w.next_filter()),
    Command(("o",), "next order", lambda w: w.next_order()),
    Command(("r",), "choose the frames anew", lambda w: w.state.show()),
    Command(("/",), "find a file by part of its name", lambda w: w.type_search()),
    Command(("s", "ctrl+s"), "save now", lambda w: w.save(), True),
    Command(("+", "="), "zoom in (also the wheel)", lambda w: w.large.zoom(0.5), True),
    Command(("-",), "zoom out", lambda w: w.large.zoom(2.0), True),
    Command(("0",), "whole frame", lambda w: w.large.reset(), True),
    Command(("?", "h", "f1"), "all keys", lambda w: w.toggle_help(), True),
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


class TextEntry:
    """A line of text being typed.

    Args:
        prompt: stands before it.
        text: to begin with.
        done: is given the text when Enter ends it.
    """

    def __init__(self, prompt: str, text: str, done: Callable[[str], object]) -> None:
        self.prompt = prompt
        self.text = text
        self._done = done

    def press(self, key: str) -> bool:
        """Take a key; whether the line goes on."""
        if key in ("enter", "escape"):
            if key == "enter":
                self._done(self.text.strip())
            return False
        if key == "backspace":
            self.text = self.text[:-1]
        elif key == "ctrl+u":
            self.text = ""
        else:
            self.text += " " if key == "space" else key if len(key) == 1 else ""
        return True

    def __str__(self) -> str:
        return f"{self.prompt}{self.text}▏"
