"""The number that a training run tells a sweeper: a score on the validation part, never another."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from nightsift.errors import NightsiftError

log = logging.getLogger(__name__)

# Of the scores, all of which lie in 0-1, those that are better when they are smaller.
_SMALLER_IS_BETTER = ("brier", "expected_calibration_error")


def check_optimize(key: str) -> tuple[str, str]:
    """The head and the score that `optimize=val_<head>_<score>` names.

    Raises:
        NightsiftError: it names something else, such as a score of the test part.
    """
    from nightsift.metrics.bootstrap import COUNTS
    from nightsift.metrics.scores import binary_scores
    from nightsift.models.fusion import HEADS

    scores = [name for name in binary_scores([0.0, 1.0], [0, 1], 0.5) if name not in COUNTS]
    part, _, rest = key.partition("_")
    head, _, score = rest.partition("_")
    if part == "val" and head in HEADS and score in scores:
        return head, score
    reason = "; the test part is for reporting alone" if part == "test" else ""
    raise NightsiftError(
        f"optimize={key}: expected val_<head>_<score>, head one of {', '.join(HEADS)}, score one "
        f"of {', '.join(scores)}{reason}"
    )


def score_to_optimize(metrics: Mapping[str, Any], key: str) -> float:
    """What a sweeper is to make as large as it can.

    Args:
        metrics: the content of metrics.json.
        key: `val_<head>_<score>`.

    Returns:
        The score; with its sign changed where smaller is better. The worst that there is, with
        a warning, where validation could not tell: with one class there is no average precision.

    Raises:
        NightsiftError: `key` names something else.
    """
    head, score = check_optimize(key)
    smaller = score in _SMALLER_IS_BETTER
    value = metrics["splits"].get("val", {}).get(head, {}).get(score, {}).get("value")
    if value is None:
        log.warning(
            "validation has no %s of the %s head: the sweeper is told the worst", score, head
        )
        value = 1.0 if smaller else 0.0
    return -float(value) if smaller else float(value)
