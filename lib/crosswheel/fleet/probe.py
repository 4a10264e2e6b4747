"""What a machine can build: asked of the engines that its own runs would take."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

from crosswheel import __version__
from crosswheel.containers.docker_host import DockerHost
from crosswheel.engines import ENGINES, offers
from crosswheel.engines.facts import Facts
from crosswheel.engines.in_containers import MEMORY_SHARE
from crosswheel.model.config import Config
from crosswheel.model.targets import PythonTag, Target, architectures, oldest_policy, python_tags
from crosswheel.pipeline.schedule import at_a_time
from crosswheel.system.local_host import LocalHost

AUTO = "auto"
MEMORY = "memory"  # in bytes
_ANY_NUMBER = 1e6  # a resource that is never used up
_USUAL_NEED = 1024**3  # bytes for a job without history


@functools.cache
def version_resource() -> str:
    """The resource of workers that understand our orders: the same crosswheel, and the same dask."""
    try:
        return f"crosswheel {__version__}, distributed {version('distributed')}"
    except PackageNotFoundError:
        return f"crosswheel {__version__}"


def resource(engine: str, target: Target) -> str:
    """The name of the ability to build a target with an engine, such as ``cross aarch64 cp313``."""
    return f"{engine} {target.arch} {target.python}"


def pythons_in(resources: Iterable[str]) -> set[str]:
    """The Pythons that resources with names of `resource` serve."""
    return {words[2] for name in resources if len(words := name.split()) == 3}  # noqa: PLR2004


def jobs_at_a_time(machine: LocalHost | DockerHost, config: Config) -> int:
    """How many jobs a machine runs at the same time: the configured number, or what its memory allows."""
    cpus, memory = machine.cpus, machine.memory
    return config.build.jobs or at_a_time([_USUAL_NEED] * cpus, cpus, int(memory * MEMORY_SHARE))


def resources_of(
    facts: Facts, config: Config, machine: LocalHost | DockerHost, engines: Collection[str] = tuple(ENGINES)
) -> Mapping[str, float]:
    """The resources for dask: abilities by name, each as often as jobs run at a time, and memory in bytes.

    `machine` is the one that does the work, and `engines` are those that it offers.
    """
    jobs = float(jobs_at_a_time(machine, config))
    abilities = dict.fromkeys(_abilities(facts, config, engines), jobs)
    return {**abilities, MEMORY: float(int(machine.memory * MEMORY_SHARE)), version_resource(): _ANY_NUMBER}


def _abilities(facts: Facts, config: Config, engines: Collection[str]) -> Iterator[str]:
    able: dict[str, None] = {}
    for arch in architectures().values():
        own = replace(config, build=replace(config.build, arch=(arch,)))
        offer = offers(own, facts)
        for python in _pythons(own, facts):
            target = Target(python, arch, oldest_policy(arch))
            for engine in engines:
                if not isinstance(offer(engine, target), str):
                    able[resource(engine, target)] = None
                    able[resource(AUTO, target)] = None
    yield from able


def _pythons(config: Config, facts: Facts) -> list[PythonTag]:
    """The Pythons of this machine and of the images that its containers could be made of."""
    known = {*facts.host.interpreters, *facts.pythons_elsewhere(config)}
    return [tag for tag in python_tags() if tag in known]
