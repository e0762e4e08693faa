"""What a model card says of the input: which looks, and which numbers beside them."""

from __future__ import annotations

from typing import Any

from nightsift.data.inputs import InputSpec
from nightsift.errors import NightsiftError
from nightsift.look.look import Wanted
from nightsift.look.measure import AllFeatures
from nightsift.look.transforms import build_transform
from nightsift.models.card import ModelCard


def input_spec(card: ModelCard) -> InputSpec | None:
    """The numbers that the weights were trained with; None where they see pixels alone.

    Raises:
        NightsiftError: they do not fit the model, or cannot be read.
    """
    if not card.inputs:
        if "features" in card.model_args:
            raise NightsiftError(
                "the card of these weights does not say which numbers they look at (it was "
                "written by an older version): train them again"
            )
        return None
    spec = InputSpec.from_json(card.inputs)
    features: Any = card.model_args.get("features")
    if features is not None and features != len(spec.columns) - spec.gaps:
        raise NightsiftError(
            f"model card: the model takes {features} numbers, inputs has "
            f"{len(spec.columns) - spec.gaps}"
        )
    return spec


def wanted_by(card: ModelCard, *, measured: bool = False, picture_px: int = 0) -> Wanted:
    """What a look at a file must bring back for the weights.

    Args:
        card: of the weights.
        measured: measure features also where the weights do not see them.
        picture_px: longer side of a small picture; 0 for none.
    """
    return Wanted(
        transform=build_transform(card.transform),
        img_size=card.img_size,
        measure=AllFeatures() if measured or card.inputs else None,
        picture_px=picture_px,
    )
