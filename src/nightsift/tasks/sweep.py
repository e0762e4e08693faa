"""Around a sweep: a check before it, one table and one figure over all of its jobs after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from nightsift.tasks.launch import ending_on_user_errors
from nightsift.tasks.optimize import check_optimize


class SweepSummary(Callback):
    """Writes `sweep.csv` and `sweep.png` when every job has ended, however it ended.

    It reads what the jobs left in their folders, so that it does not matter whether they ran
    here, side by side or on a cluster.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Refuse, before any job, what no job could tell a sweeper."""
        with ending_on_user_errors(config.hydra.job.name):
            check_optimize(config.optimize)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Summarise the folder of the sweep."""
        from nightsift.report.sweep import write_sweep

        folder = Path(config.hydra.sweep.dir)
        table = write_sweep(folder)
        failed = int((table["status"] == "failed").sum())
        print(f"{len(table)} jobs, {failed} failed; written: {folder / 'sweep.csv'}, sweep.png")
