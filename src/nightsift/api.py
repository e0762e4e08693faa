"""The whole of `python -m predict` from Python: judge a folder, then do something with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nightsift.heuristics.limits import Limits
from nightsift.heuristics.table import cache_or_nothing
from nightsift.look.store import LookStore
from nightsift.models.locate import Source, read_card
from nightsift.report.pictures import PICTURE_PX
from nightsift.sorting.cards import Verdict, is_record_of_cards, undo_cards, write_cards
from nightsift.sorting.moving import Move, move_files, plan_moves, undo_moves
from nightsift.sorting.night import Verdicts, judge_folders

if TYPE_CHECKING:
    from nightsift.models.weights import LoadedModel


class Judged(Verdicts):
    """Verdicts on the frames of a folder, and what can be done with them.

    Nothing is touched until one of the methods is called; what they change goes back with
    `undo(record)`.
    """

    @property
    def rejected(self) -> list[Path]:
        """Paths of the bad frames."""
        return self._files("bad")

    @property
    def kept(self) -> list[Path]:
        """Paths of the good frames and of those to be looked at."""
        return self._files("good", "review")

    def _files(self, *verdicts: str) -> list[Path]:
        chosen = self.table["verdict"].isin(verdicts)
        return [Path(file) for file in self.table.loc[chosen, "file"]]

    def link_kept(self, folder: str | Path) -> int:
        """Link the kept frames into a new folder, or copy them where links fail.

        Returns:
            How many there are now.

        Raises:
            NightsiftError: the folder holds something else.
        """
        from nightsift.report.handoff import link_kept

        return link_kept(Path(folder), self.table)

    def planned_moves(self) -> list[Move]:
        """What `move_rejected` would do: bad frames and their side files into `rejected/`.

        Raises:
            NightsiftError: something of that name is there already.
        """
        return plan_moves(self.rejected)

    def move_rejected(self, record: str | Path) -> int:
        """Move the bad frames into `rejected/` of their folder; returns how many files moved.

        Args:
            record: a new file; `undo(record)` puts everything back.

        Raises:
            NightsiftError: something stands in the way; what was moved is in the record.
        """
        moves = self.planned_moves()
        move_files(moves, Path(record))
        return len(moves)

    def write_headers(self, record: str | Path) -> int:
        """Write `NSBAD`, `NSPROB` and `NSREASON` into the headers; returns how many.

        Args:
            record: a new file; `undo(record)` takes the cards back.
        """
        judged = self.table[self.table["verdict"] != ""]
        verdicts = [
            Verdict(Path(row["file"]), row["verdict"] == "bad", row["prob_bad"], row["reason"])
            for row in judged.to_dict("records")
        ]
        return write_cards(verdicts, Path(record))

    def report(self, folder: str | Path, *, title: str = "verdicts") -> list[Path]:
        """Write predictions.csv, report.html, the lists for other programs and figures.

        Returns:
            What was written.
        """
        from nightsift.report.night import write_night

        return write_night(Path(folder), title, self)


def judge(
    folder: str | Path,
    *,
    ckpt: Source = "pretrained",
    threshold: float | None = None,
    ignore: Sequence[str] = (),
    limits: Mapping[str, float] | None = None,
    cache_dir: str | Path | None = None,
    max_gap_h: float = 4.0,
    workers: int = 0,
) -> Judged:
    """Judge every frame below a folder; nothing is written into it.

    Args:
        folder: a night, a folder of nights, or a single FITS file.
        ckpt: `pretrained` for the shipped weights, or a run folder, `.ckpt`, `.pt` or
            `.safetensors`; several are used as one that averages their probabilities.
        threshold: fused probability from which a frame is bad, 0-1; None for the weights' own.
        ignore: reasons that are not to reject, such as `["defocus"]`; a frame is kept if nothing
            else stands strongly against it.
        limits: beyond which a frame is bad whatever its probability: `fwhm_px`, `fwhm_arcsec`
            (with `pixel_scale_arcsec` where headers do not tell it), `elongation`,
            `transparency` (least share of the clearest), `background` (adu).
        cache_dir: where to keep what was read, so that the next call is quick; None keeps
            nothing.
        max_gap_h: a longer pause begins another night, hours.
        workers: frames read at the same time, in threads; 0 means one per core.

    Returns:
        The verdicts: `.table` has one row per file in time order with `file`, `prob_bad`,
        `verdict` (good, review, bad, or "" for what could not be judged), `reason`,
        `explanation` and the other columns of predictions.csv; `.features` what was measured.

    Raises:
        NightsiftError: no such folder, no frames in it, weights that cannot be used, no such
            reason or limit, or a limit out of its range.
    """
    if isinstance(ignore, str):
        ignore = [ignore]
    limited = Limits.of(limits or {})

    def load() -> LoadedModel:
        from nightsift.models.weights import load_weights

        return load_weights(ckpt)

    card = read_card(ckpt) or load().card
    if threshold is not None:
        card = card.with_threshold(threshold)
    with cache_or_nothing(cache_dir) as cache:
        found = judge_folders(
            [Path(folder)],
            card,
            lambda: load()._replace(card=card),
            LookStore(cache),
            ignore=ignore,
            limits=limited,
            max_gap_h=max_gap_h,
            workers=workers,
            picture_px=0 if cache_dir is None else PICTURE_PX,
        )
    return Judged(**vars(found))


def undo(record: str | Path) -> int:
    """Take back what a record tells of: moved frames, or cards in headers; may be repeated.

    Args:
        record: of `Judged.move_rejected` or `Judged.write_headers`, or of the command.

    Returns:
        How many files are again what or where they were.

    Raises:
        NightsiftError: no such record, or a file has changed since; what can be undone is.
    """
    path = Path(record)
    return undo_cards(path) if is_record_of_cards(path) else undo_moves(path).back
