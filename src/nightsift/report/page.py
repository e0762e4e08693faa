"""One HTML page that needs nothing but itself: summary, timelines, rejected frames, every frame."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from nightsift.files import replacing
from nightsift.fits.reader import UnreadableFrame
from nightsift.look.stretch import Limits, night_limits, thumbnail_grey
from nightsift.look.thumbnail import Thumbnail, stretched
from nightsift.report.groups import shown_as
from nightsift.report.page_style import SCRIPT, STYLE
from nightsift.report.pictures import PICTURE_PX, FramePictures, Grey
from nightsift.sorting.verdicts import VERDICTS, spells

# Pictures of one page: more would be megabytes that nobody looks through.
MAX_CARDS = 160


class Card(NamedTuple):
    """A rejected or doubtful frame beside the nearest good one of its night."""

    file: str
    verdict: str
    prob: float
    explanation: str
    neighbour: str


def write_page(
    path: Path,
    title: str,
    table: pd.DataFrame,
    timelines: Sequence[tuple[str, Path]],
    *,
    facts: Sequence[str],
    frames: FramePictures,
) -> None:
    """Write the page, whole or not at all.

    Args:
        path: of the HTML file.
        title: what was judged.
        table: predictions with verdicts.
        timelines: heading and PNG.
        facts: lines about the run: weights, threshold, figures of a light curve.
        frames: pictures of them.
    """
    body = [
        f"<h1>{escape(title)}</h1>",
        *(f"<p class=fact>{escape(fact)}</p>" for fact in facts),
        _summary(table),
        _spells(table),
    ]
    for night, png in timelines:
        picture = _image(("image/png", png.read_bytes()), "timeline", night)
        body.append(f"<h2>{escape(night)}</h2>{picture}")
    body += [_cards(table, frames), _files(table)]
    text = (
        "<!DOCTYPE html>\n<html lang=en><head><meta charset=utf-8>"
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(body)
        + f"\n<script>{SCRIPT}</script></body></html>\n"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _summary(table: pd.DataFrame) -> str:
    """Frames of each night by verdict and reason."""
    rows = []
    for night, part in table.groupby(shown_as(table), sort=False):
        counts = [len(part), *(int((part["verdict"] == v).sum()) for v in (*VERDICTS, ""))]
        why = part.loc[part["verdict"] == "bad", "reason"].value_counts()
        reasons = ", ".join(f"{count} {reason}" for reason, count in why.items())
        cells = "".join(f"<td class=n>{count}" for count in counts)
        rows.append(f"<tr><td>{escape(str(night))}{cells}<td>{escape(reasons)}")
    names = ("night", "frames", *VERDICTS, "not judged", "why bad")
    head = "".join(f"<th>{name}" for name in names)
    return f"<h2>Nights</h2><table><thead><tr>{head}</thead><tbody>{''.join(rows)}</tbody></table>"


def _spells(table: pd.DataFrame) -> str:
    found = spells(table)[:10]
    if not found:
        return ""
    lines = "".join(
        f"<li>{escape(night)}: {count} bad frames in a row ({escape(reason)}), "
        f"{escape(Path(first).name)} to {escape(Path(last).name)}"
        for night, first, last, count, reason in found
    )
    return f"<h2>Worst spells</h2><ul>{lines}</ul>"


def cards_of(table: pd.DataFrame) -> Iterator[Card]:
    """Rejected and doubtful frames, each with the good frame nearest in time."""
    judged = table[table["verdict"] != ""]
    for _, part in judged.groupby(shown_as(judged), sort=False):
        good = np.flatnonzero(part["verdict"] == "good")
        for place in np.flatnonzero(part["verdict"] != "good"):
            row = part.iloc[place]
            nearest = good[np.argmin(np.abs(good - place))] if len(good) else None
            yield Card(
                str(row["file"]),
                str(row["verdict"]),
                float(row["prob_bad"]),
                str(row["explanation"]),
                "" if nearest is None else str(part["file"].iloc[nearest]),
            )


def _cards(table: pd.DataFrame, frames: FramePictures) -> str:
    every = list(cards_of(table))
    if not every:
        return "<h2>Rejected and doubtful frames</h2><p>None.</p>"
    # Where there are too many the certain ones of a long spell are the least worth looking at.
    shown = every if len(every) <= MAX_CARDS else every[:: -(-len(every) // MAX_CARDS)]
    files = dict.fromkeys(file for card in shown for file in (card.file, card.neighbour) if file)
    pictures = {file: _thumbnail(file, frames) for file in files}
    more = f"<p>{len(shown)} of {len(every)} are shown.</p>" if len(shown) < len(every) else ""
    nights = dict(zip(table["file"], table["night"], strict=True))
    limits = {
        night: night_limits([pictures[file] for file in files if nights[file] == night])
        for night in {nights[file] for file in files}
    }
    cards = "".join(_card(card, pictures, limits[nights[card.file]], frames) for card in shown)
    return (
        "<h2>Rejected and doubtful frames</h2><p class=note>Left: the frame and stars of it at "
        f"full resolution. Right: the nearest good frame, alike.</p>{more}"
        f"<div class=cards>{cards}</div>"
    )


def _thumbnail(file: str, frames: FramePictures) -> Thumbnail:
    try:
        return stretched(frames.small(Path(file)))
    except UnreadableFrame as error:
        return Thumbnail(np.empty((0, 0), np.float16), error=str(error))


def _card(
    card: Card, pictures: dict[str, Thumbnail], limits: Limits | None, frames: FramePictures
) -> str:
    halves = []
    for file in (card.file, card.neighbour):
        picture = pictures.get(file)
        if picture is None or picture.error or limits is None:
            continue
        grey = thumbnail_grey(picture, limits, PICTURE_PX, PICTURE_PX)
        stars = frames.stars(Path(file))
        images = _image(_jpeg(grey), "frame", Path(file).name)
        if stars is not None:
            images += _image(_jpeg(stars), "stars", f"stars of {Path(file).name}")
        halves.append(
            f"<figure>{images}<figcaption>{escape(Path(file).name)}</figcaption></figure>"
        )
    return (
        f"<div class='card {card.verdict}'><p><b>{card.verdict}</b> {card.prob:.2f} "
        f"{escape(card.explanation)}</p>{''.join(halves)}</div>"
    )


def _files(table: pd.DataFrame) -> str:
    rows = []
    for row in table.to_dict("records"):
        judged = row["verdict"] != ""
        cells = [
            escape(str(row["night"])),
            escape(Path(str(row["file"])).name),
            escape(str(row["time"])[:19]),
            f"{row['prob_bad']:.3f}" if judged else "",
            str(row["verdict"]) or "not judged",
            escape(str(row["explanation"] or row["reason"])),
        ]
        rows.append(f"<tr class='{row['verdict']}'><td>" + "<td>".join(cells))
    names = ("night", "file", "time, UTC", "probability", "verdict", "why")
    head = "".join(f"<th>{name}" for name in names)
    return (
        "<h2>Every frame</h2><p class=note>A click on a heading sorts.</p>"
        f"<table class=sortable><thead><tr>{head}</thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _image(data: tuple[str, bytes], kind: str, text: str) -> str:
    media, content = data
    code = base64.b64encode(content).decode("ascii")
    return f"<img class={kind} alt='{escape(text, quote=True)}' src='data:{media};base64,{code}'>"


def _jpeg(grey: Grey) -> tuple[str, bytes]:
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="JPEG", quality=82)
    return "image/jpeg", buffer.getvalue()
