"""What the pipeline itself takes for many jobs: python bench/many.py COUNT prints seconds and peak memory as JSON.

Its engine and its steps build nothing: each job's wheel lies ready, under a name of its own. All else is as in any run:
the journal, waiting jobs, threads, saved wheels, outcomes.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice, product
from pathlib import Path

from crosswheel.engines.facts import Facts
from crosswheel.engines.services import Services
from crosswheel.engines.workspace import HostWorkspace, Workspace
from crosswheel.errors import EngineUnavailable
from crosswheel.formats.sdists import read_sdist
from crosswheel.images.pins import Family
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Interpreter, Job, Plan, Sdist, deaf
from crosswheel.model.targets import Policy, Target, architectures, python_tags
from crosswheel.pipeline.run import Run
from crosswheel.steps import MAKE, Composition, Steps, Work, find, step
from crosswheel.steps.journal import journal_of
from crosswheel.steps.sequence import name_of
from crosswheel.system.local_host import local_host
from crosswheel.testing import tiny_wheel
from projects import packed

_GLIBCS = range(17, 400)  # more than there are, so that all targets are different ones


class NoOp:
    """Serves every target with nothing."""

    family: Family | None = None
    toolchain: Mapping[str, str] = {}

    def offer(self, target: Target, config: Config, facts: Facts) -> Interpreter | str:
        raise NotImplementedError

    def prepare(self, target: Target, config: Config, services: Services, *, cxx: bool) -> None:
        """There is nothing to prepare."""

    @contextmanager
    def open(
        self,
        job: Job,
        sdist: Sdist,  # noqa: ARG002
        config: Config,  # noqa: ARG002
        services: Services,
        folder: Path,
        log: Path,
        *,
        bare: bool = False,  # noqa: ARG002
    ) -> Iterator[Workspace]:
        folder.mkdir(parents=True, exist_ok=True)
        assert job.interpreter
        yield HostWorkspace(services.facts.host, folder, job.interpreter.path, log, None)


@step(needs=["workspace"])
def build(work: Work) -> Work:
    target = work.job.target
    tag = f"{target.python}-{target.python}-{target.platform}"
    made = work.with_wheel(tiny_wheel(work.workspace.root, name="noop", tag=tag))
    return replace(made, passed=made.read().sha256)


def audit(work: Work) -> Work:
    """There is nothing to audit."""
    return work


def measured(count: int, folder: Path) -> dict[str, float]:
    sdist = read_sdist(packed(folder, "noop", {"pyproject.toml": "", "noop.c": ""}))
    policies = [Policy("glibc", 2, minor) for minor in _GLIBCS]
    targets = [
        Target(python, arch, policy)
        for policy, python, arch in product(policies, python_tags(), architectures().values())
    ]
    here = {tag: Interpreter(tag, f"{tag.version}.0", Path(sys.executable)) for tag in python_tags()}
    jobs = tuple(Job(target, "no-op", here[target.python]) for target in islice(targets, count))
    assert len(jobs) == count
    config = load_config(folder, {"output": "wheelhouse", "test": "never"})
    host = replace(local_host(offline=True, listener=deaf), cache=folder / "cache")
    steps = Steps((build, audit, *(step for step in MAKE if name_of(step) in {"keep", "test", "again", "save"})))
    composition = Composition(Steps((find, *steps)), engines={"no-op": NoOp()})
    services = Services(Facts(host, EngineUnavailable("unused")))
    run = Run(Plan("noop", jobs), sdist, config, services, journal_of("noop", host, deaf), composition)
    began = time.perf_counter()
    outcomes = run.execute()
    seconds = time.perf_counter() - began
    assert all(outcome.ok for outcome in outcomes), next(each for each in outcomes if not each.ok)
    assert len(outcomes) == count
    return {"jobs": count, "seconds": seconds, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="crosswheel-bench-") as work:
        print(json.dumps(measured(int(sys.argv[1]), Path(work))))
