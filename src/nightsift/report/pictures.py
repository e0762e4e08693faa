"""Pictures of frames for reports, from what was kept when they were read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from nightsift.fits.reader import read_frame
from nightsift.look.look import Look
from nightsift.look.picture import BlockMeans, block_means
from nightsift.look.store import read_picture, read_tensors
from nightsift.night.night import NightSet

Grey = npt.NDArray[np.uint8]

# Longer side of the small pictures, px.
PICTURE_PX = 260
_STARS_PX = 128


class FramePictures:
    """Small pictures and stars of frames; a file is read again only where nothing was kept.

    Args:
        nights: as they were read, for whose frames pictures are kept; None for none.
    """

    def __init__(self, nights: NightSet | None = None) -> None:
        found = nights.nights if nights else ()
        self._looks = {look.path: look for night in found for look in night.looks}

    def small(self, path: Path) -> BlockMeans:
        """The frame at a longer side of 260 px.

        Raises:
            UnreadableFrame: the file has gone or changed since.
        """
        look = self._looks.get(path)
        kept = read_picture(look.picture) if look and look.picture else None
        return kept or block_means(read_frame(path).pixels, PICTURE_PX)

    def stars(self, path: Path) -> Grey | None:
        """Four cut-outs from the middle of the mosaic of a two-scale tensor, (128, 128) grey.

        None where the tensor is another one, which has no mosaic, or is not kept any more.
        """
        look = self._looks.get(path)
        return None if look is None else _cutouts(look)


def _cutouts(look: Look) -> Grey | None:
    if look.tensor is None or len(look.tensor.shape) != 3 or look.tensor.shape[0] != 4:
        return None
    if not look.tensor.place.database.exists():
        return None
    tensor = read_tensors([look.tensor])[0]
    side = tensor.shape[-1]
    middle = tensor[3, side // 4 : side - side // 4, side // 4 : side - side // 4]
    # Already asinh of a signal-to-noise ratio: 0 is the sky.
    grey = (np.clip((middle + 0.5) / 6.0, 0, 1) * 255).astype(np.uint8)[::-1]
    image = Image.fromarray(grey).resize((_STARS_PX, _STARS_PX), Image.Resampling.NEAREST)
    return np.asarray(image)
