"""One file per task: `run(cfg) -> result` and the Hydra application around it."""
