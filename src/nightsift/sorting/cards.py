"""Verdicts as cards in the headers of the frames, and the headers back as they were."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning

from nightsift.errors import NightsiftError
from nightsift.files import replacing

FORMAT = 1
WHAT = "cards written by nightsift"
_PLAIN = (".fits", ".fit", ".fts")
_CHUNK = 1 << 22


class Verdict(NamedTuple):
    """What goes into the header of one frame."""

    path: Path
    bad: bool
    prob: float
    reason: str


class _Place(NamedTuple):
    """Bytes of the image's header in its file."""

    start: int
    stop: int
    hdu: int


def write_cards(verdicts: Sequence[Verdict], record: Path) -> int:
    """Put `NSBAD`, `NSPROB` and `NSREASON` into the first header with an image.

    Each file is written anew beside itself, checked, and renamed over the old one; pixels and
    all other cards stay as they are, byte for byte, and a CHECKSUM is made to fit again. The
    old header is on disk in `record` before.

    Args:
        verdicts: of uncompressed files; compressed ones are passed over.
        record: a new file of one JSON object per line, for `undo_cards`.

    Returns:
        How many files have been written.

    Raises:
        NightsiftError: a file does not read back as it should; it is as it was.
        OSError: a file cannot be written, likewise.
    """
    record.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    with record.open("x", encoding="utf-8") as stream:
        stream.write(json.dumps({"format": FORMAT, "what": WHAT}) + "\n")
        for verdict in verdicts:
            if verdict.path.suffix.lower() not in _PLAIN:
                continue
            path = verdict.path.resolve()  # a link stays a link
            place = _find_image(path)
            with path.open("rb") as file:
                old = _bytes_of(file, place)
            with replacing(path) as temporary:
                _write_with_header(path, temporary, place, _with_cards(old, verdict))
                _fit_checksum(temporary, place.hdu)
                after = _check(path, temporary, place, verdict)
                line = {
                    "path": str(path),
                    "start": place.start,
                    "header": base64.b64encode(old).decode("ascii"),
                    "new_length": after.stop - after.start,
                    "before": _digest(path),
                    "after": _digest(temporary),
                }
                stream.write(json.dumps(line) + "\n")
                stream.flush()
                os.fsync(stream.fileno())
                shutil.copymode(path, temporary)
            count += 1
    return count


def undo_cards(record: Path) -> int:
    """Put the old headers back; returns how many files are again what they were.

    Only files that are as `write_cards` left them are touched, and only if what comes out has
    the recorded digest.

    Raises:
        NightsiftError: no such record, or a file has changed since; what can be undone is.
    """
    problems = []
    count = 0
    for row in _read(record):
        path = Path(str(row["path"]))
        if not path.is_file():
            problems.append(f"{path} is gone")
            continue
        now = _digest(path)
        if now == row["before"]:
            continue
        if now != row["after"]:
            problems.append(f"{path} has changed and stays")
            continue
        start = int(str(row["start"]))
        place = _Place(start, start + int(str(row["new_length"])), 0)
        with replacing(path) as temporary:
            old = base64.b64decode(str(row["header"]))
            _write_with_header(path, temporary, place, old)
            if _digest(temporary) != row["before"]:
                raise NightsiftError(
                    f"undo={record}: the header of {path} in it is not the old one"
                )
            shutil.copymode(path, temporary)
        count += 1
    if problems:
        raise NightsiftError(f"{count} files put back; {'; '.join(problems[:3])}")
    return count


def is_record_of_cards(record: Path) -> bool:
    """Whether a file says that it is a record of `write_cards`."""
    try:
        with record.open(encoding="utf-8") as stream:
            return bool(json.loads(stream.readline()).get("what") == WHAT)
    except (OSError, ValueError, AttributeError):
        return False


def _find_image(path: Path) -> _Place:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with fits.open(path, memmap=True, lazy_load_hdus=False) as hdus:
            for index, hdu in enumerate(hdus):
                if hdu.header.get("NAXIS", 0) >= 2 and (index == 0 or "XTENSION" in hdu.header):
                    facts = hdu.fileinfo()
                    return _Place(facts["hdrLoc"], facts["datLoc"], index)
    raise NightsiftError(f"{path}: no image")


def _bytes_of(file: BinaryIO, place: _Place) -> bytes:
    file.seek(place.start)
    return file.read(place.stop - place.start)


def _with_cards(old: bytes, verdict: Verdict) -> bytes:
    reason = "".join(char if " " <= char <= "~" else " " for char in verdict.reason)[:60]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", VerifyWarning)
        header = fits.Header.fromstring(old)
        header["NSBAD"] = (verdict.bad, "nightsift: frame to be rejected")
        header["NSPROB"] = (round(verdict.prob, 6), "nightsift: probability of bad")
        header["NSREASON"] = (reason, "nightsift")
        return str(header.tostring()).encode("ascii", "replace")


def _write_with_header(path: Path, temporary: Path, place: _Place, header: bytes) -> None:
    """The file with other bytes in the place of one header."""
    with path.open("rb") as source, temporary.open("wb") as target:
        _copy(source, target, place.start)
        target.write(header)
        source.seek(place.stop)
        shutil.copyfileobj(source, target, _CHUNK)
        target.flush()
        os.fsync(target.fileno())


def _copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
    while length > 0 and (part := source.read(min(length, _CHUNK))):
        target.write(part)
        length -= len(part)


def _fit_checksum(path: Path, index: int) -> None:
    with (
        warnings.catch_warnings(),
        fits.open(path, mode="update", memmap=False, do_not_scale_image_data=True) as hdus,
    ):
        warnings.simplefilter("ignore")
        for other in hdus:
            # Else astropy writes every checksum of the file anew, with the time of today.
            other._output_checksum = False
        if "CHECKSUM" in hdus[index].header:
            hdus[index].add_checksum()


def _check(path: Path, temporary: Path, place: _Place, verdict: Verdict) -> _Place:
    """The header's new place, once all that is not the header is what it was."""
    after = _find_image(temporary)
    with path.open("rb") as old, temporary.open("rb") as new:
        same = old.read(place.start) == new.read(after.start)
        old.seek(place.stop)
        new.seek(after.stop)
        same &= hashlib.file_digest(old, "sha256").digest() == (
            hashlib.file_digest(new, "sha256").digest()
        )
    found = fits.getheader(temporary, after.hdu)
    if not same or bool(found["NSBAD"]) != verdict.bad:
        raise NightsiftError(f"{path}: the new header does not read back; the file is as it was")
    return after


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(record: Path) -> list[dict[str, object]]:
    try:
        lines = record.read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines if line.endswith("}")]
        if not rows or rows[0].get("format") != FORMAT or rows[0].get("what") != WHAT:
            raise ValueError
        for row in rows[1:]:
            _ = row["path"], int(row["start"]), row["header"], int(row["new_length"])
            _ = row["before"], row["after"]
    except OSError as error:
        raise NightsiftError(f"undo={record}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NightsiftError(f"undo={record} is no record of written cards") from error
    return rows[1:]
