"""How long a plan of 10,000 jobs takes, each refused by two rungs of the ladder: python bench/plan.py"""

from __future__ import annotations

import time
from itertools import cycle, islice, product
from pathlib import Path

from crosswheel.model.job import Interpreter, Job
from crosswheel.model.targets import Target, architectures, parse_policy, python_tags
from crosswheel.pipeline.plan import plan_job

COUNT = 10_000


def seconds() -> float:
    """Wall clock, from targets to jobs."""
    policies = [parse_policy(name) for name in ("manylinux_2_31", "manylinux_2_34", "musllinux_1_2")]
    targets = [Target(*row) for row in islice(cycle(product(python_tags(), architectures().values(), policies)), COUNT)]
    found = {tag: Interpreter(tag, f"{tag.version}.0", Path("python")) for tag in python_tags()}
    ladder = ("first", "second", "third")

    def offer(rung: str, target: Target) -> Interpreter | str:
        return found[target.python] if rung == ladder[-1] else "not here"

    began = time.perf_counter()
    jobs = [plan_job(target, "auto", ladder, offer) for target in targets]
    took = time.perf_counter() - began
    assert all(isinstance(job, Job) for job in jobs)
    return took


if __name__ == "__main__":
    print(f"a plan of {COUNT:,} jobs: {seconds():.3f} s (to reach: < 1 s)")
