"""One look at a file: everything that is ever wanted of it, from one decoding."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nightsift.fits.header import FrameInfo
from nightsift.fits.reader import UnreadableFrame, read_frame
from nightsift.look.lines import Cells
from nightsift.look.measure import Decoded, Measure, Measurements
from nightsift.look.picture import VERSION as PICTURE_VERSION
from nightsift.look.picture import BlockMeans, block_means
from nightsift.look.scene import StarList
from nightsift.look.transforms import Transform

# To be raised when the same transform gives other tensors of the same pixels.
TENSOR_VERSION = 4


class Stamp(NamedTuple):
    """Size and time of change of a file: what is kept of it is good while both stay."""

    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Wanted:
    """What a look is to bring back beside the facts of the header.

    Attributes:
        transform: makes the network input of the pixels; None for none.
        img_size: side of that input, px.
        measure: measures features and stars; None for none.
        picture_px: longer side of a small picture; 0 for none.
    """

    transform: Transform | None = None
    img_size: int = 128
    measure: Measure | None = None
    picture_px: int = 0

    @property
    def tensor_key(self) -> str:
        """What the tensors are made by; "" where none are wanted."""
        if self.transform is None:
            return ""
        text = json.dumps([TENSOR_VERSION, self.transform.spec(), self.img_size], sort_keys=True)
        return f"tensor-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    @property
    def features_key(self) -> str:
        """What the features are made by; "" where none are wanted."""
        return self.measure.key if self.measure else ""

    @property
    def lines_key(self) -> str:
        """What the cells that lines are looked for in are made by; "" where none are wanted."""
        return f"lines-{self.features_key}" if self.measure else ""

    @property
    def picture_key(self) -> str:
        """What the small pictures are made by; "" where none are wanted."""
        return f"picture-{PICTURE_VERSION}-{self.picture_px}" if self.picture_px else ""

    def lacking(self, look: Look) -> Wanted | None:
        """What a look does not bring back yet; None where nothing is lacking."""
        rest = replace(
            self,
            transform=None if look.tensor else self.transform,
            measure=None if look.features else self.measure,
            picture_px=0 if look.picture else self.picture_px,
        )
        return rest if rest.transform or rest.measure or rest.picture_px else None


class Ref(NamedTuple):
    """Where something of one frame is kept: a database, a file name and a key in it."""

    database: Path
    name: str
    key: str


class TensorRef(NamedTuple):
    """Where the tensor of one frame is kept, and its shape."""

    place: Ref
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What is known of one file after it has been read, once.

    Attributes:
        path: the file.
        info: header facts; None for a file without a usable frame.
        error: why there is no frame, "" where there is one.
        features: name to value, NaN where there is nothing to measure it on; empty where not
            asked for.
        stars: for matching with other frames, or where they are kept; None where nothing was
            measured.
        lines: `nightsift.look.lines.line_cells`, or where they are kept; None where not made.
        tensor: where the network input is kept; None where not asked for.
        picture: where the small picture is kept; None where not asked for.
    """

    path: Path
    info: FrameInfo | None = None
    error: str = ""
    features: Mapping[str, float] = field(default_factory=dict)
    stars: StarList | Ref | None = None
    lines: Cells | Ref | None = None
    tensor: TensorRef | None = None
    picture: Ref | None = None

    @property
    def kept_tensor(self) -> TensorRef:
        """Where the network input is kept.

        Raises:
            ValueError: it was not asked for.
        """
        if self.tensor is None:
            raise ValueError(f"{self.path}: no tensor was wanted when it was read")
        return self.tensor


class Taken(NamedTuple):
    """A look before it is kept: things themselves, and the stamp of the file before reading."""

    path: Path
    stamp: Stamp
    info: FrameInfo | None = None
    error: str = ""
    measured: Measurements | None = None
    tensor: npt.NDArray[np.float32] | None = None
    picture: BlockMeans | None = None


def take_look(path: Path, wanted: Wanted) -> Taken:
    """Read a file once and make all that is wanted; never raises because of what it holds."""
    # Before reading: of a file that grows meanwhile another look is taken next time.
    stamp = stamp_of(path)
    try:
        frame = read_frame(path)
    except UnreadableFrame as error:
        return Taken(path, stamp, error=str(error))
    decoded = Decoded(frame.pixels)
    measured = None if wanted.measure is None else wanted.measure(decoded)
    tensor = None if wanted.transform is None else _render(decoded, wanted)
    side = wanted.picture_px
    picture = block_means(frame.pixels, side) if side else None
    return Taken(path, stamp, frame.info, "", measured, tensor, picture)


def stamp_of(path: Path) -> Stamp:
    """The stamp of a file; zeros where it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return Stamp(0, 0)
    return Stamp(stat.st_size, stat.st_mtime_ns)


def _render(decoded: Decoded, wanted: Wanted) -> npt.NDArray[np.float32]:
    transform: Any = wanted.transform
    if hasattr(transform, "render"):  # shares its first steps with measuring
        tensor: npt.NDArray[np.float32] = transform.render(decoded.prepared, wanted.img_size)
        return tensor
    return np.asarray(transform(decoded.pixels, wanted.img_size), dtype=np.float32)
