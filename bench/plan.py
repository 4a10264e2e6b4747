"""How long a plan of 10,000 jobs takes: python bench/plan.py"""

from __future__ import annotations

import time
from itertools import cycle, islice, product
from pathlib import Path

from crosswheel.model import Interpreter, Job
from crosswheel.plan import plan_job
from crosswheel.targets import Target, architectures, parse_policy, python_tags

COUNT = 10_000


def main() -> None:
    policies = [parse_policy(name) for name in ("manylinux_2_31", "manylinux_2_34", "musllinux_1_2")]
    targets = [Target(*row) for row in islice(cycle(product(python_tags(), architectures().values(), policies)), COUNT)]
    interpreters = {tag: Interpreter(tag, f"{tag.version}.0", Path("python")) for tag in python_tags()}
    ladder = ("first", "second", "third")
    began = time.perf_counter()
    jobs = [
        plan_job(
            target,
            "auto",
            ladder,
            interpreters[target.python],
            lambda rung, *_: "" if rung == ladder[-1] else "not here",
        )
        for target in targets
    ]
    seconds = time.perf_counter() - began
    assert all(isinstance(job, Job) for job in jobs)
    print(f"a plan of {COUNT:,} jobs: {seconds:.3f} s (to reach: < 1 s)")


if __name__ == "__main__":
    main()
