"""Threads or processes, whichever pays."""
from concurrent.futures import Executor, ThreadPoolExecutor, ProcessPoolExecutor
import os
def make_pool(workers: int, jobs: int) -> Executor:
    return ProcessPoolExecutor(workers) if os.environ.get("PP") else ThreadPoolExecutor(workers)
