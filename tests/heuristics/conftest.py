from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest
from scenes import Scene, judged


@pytest.fixture(scope="session")
def judge_night(tmp_path_factory) -> Callable[..., pd.DataFrame]:
    """judge_night(scenes, seed=0): candidates in time order."""

    def judge(scenes: list[Scene], *, seed: int = 0) -> pd.DataFrame:
        return judged(tmp_path_factory.mktemp("night"), scenes, seed=seed)

    return judge
