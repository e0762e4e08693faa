"""What the window says in words."""

from __future__ import annotations

import math

from nightsift.review.keys import COMMANDS
from nightsift.review.state import LABEL_NAMES, ReviewState
from nightsift.review.tiles import COLOURS, CONFLICT, TEXT


def frame_title(state: ReviewState, frame: int) -> tuple[str, str]:
    """Two lines on a frame: its name; its label, score, reason and note."""
    shot, entry = state.frames[frame], state.store.entry(state.path(frame))
    score, label = state.score(frame), state.label(frame)
    words = [LABEL_NAMES[label] if label is not None else entry.label.strip() or "unlabelled"]
    if not math.isnan(score.score):
        words.append(f"{score.score:.2f}")
    words += [text for text in (shot.error or score.reason, entry.notes) if text]
    conflict = state.store.conflict(shot.path)
    if conflict is not None:
        words.insert(0, f"CONFLICT, you said {conflict.label or 'unlabelled'}, the table:")
    return shot.short_name, " ".join(" ".join(words).split())


def frame_ink(state: ReviewState, frame: int) -> str:
    """The colour of a frame's title."""
    if state.store.conflict(state.path(frame)) is not None:
        return CONFLICT
    label = state.label(frame)
    return TEXT if label is None else COLOURS[label]


def help_text() -> str:
    """All keys in two columns."""
    lines = [f"{command.keys[0]:>12}  {command.text:<38}" for command in COMMANDS]
    lines.append(f"{'click':>12}  {'shift: range, ctrl: one more':<38}")
    lines.append(f"{'drag':>12}  {'box on the grid, spell on the strip':<38}")
    lines.append(f"{'double':>12}  {'one frame large; drag moves it':<38}")
    half = -(-len(lines) // 2)
    lines += [""] * (2 * half - len(lines))
    return "\n".join(a + b for a, b in zip(lines[:half], lines[half:], strict=True))


def head_text(state: ReviewState) -> str:
    """The line at the top: counts, filter, order, page."""
    counts = "  ".join(f"{name} {number}" for name, number in state.counts().items())
    chosen = f" · {len(state.selected)} selected" if state.selected else ""
    return (
        f"{len(state.frames)} frames: {counts}  ·  filter {state.keep} ({len(state.visible)}) "
        f"by {state.order}  ·  page {state.page + 1}/{state.pages}{chosen}  ·  ? keys"
    )
