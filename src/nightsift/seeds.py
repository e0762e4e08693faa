"""Seeds of the many draws that one seed stands for."""

from __future__ import annotations

import numpy as np


def derived_seed(*parts: int) -> int:
    """A seed for one purpose, from the seed of the whole and the numbers of the purpose.

    Args:
        parts: non-negative, for example seed, epoch and batch.

    Returns:
        0 to 2^32 - 1; different parts give seeds that have nothing to do with each other.
    """
    return int(np.random.SeedSequence(parts).generate_state(1)[0])
