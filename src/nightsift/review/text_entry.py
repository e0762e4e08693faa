"""Text typed in the window: a note, a part of a file name."""

from __future__ import annotations

from collections.abc import Callable


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
