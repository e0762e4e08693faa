"""After a sweep: tables and a figure over all of its jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from nightsift.tasks.launch import ending_on_user_errors
from nightsift.tasks.optimize import check_optimize


class SweepSummary(Callback):
    """Writes `sweep.csv` and `sweep.png` when every job has ended, however it ended.

    Where jobs leave out different nights, `pooled_predictions.csv` and `pooled_metrics.json` too.

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
        names = ("sweep.csv", "sweep.png", "pooled_predictions.csv", "pooled_metrics.json")
        written = ", ".join(str(folder / name) for name in names if (folder / name).is_file())
        print(f"{len(table)} jobs, {failed} failed; written: {written}")
