"""The step `register`: the Docker host runs programs of every configured architecture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from crosswheel.containers.emulation import Running, survey
from crosswheel.containers.providers import SCOPE, choose_provider, failure
from crosswheel.errors import CannotRun
from crosswheel.model.job import Note
from crosswheel.model.targets import Architecture
from crosswheel.steps.machine import Machine, Registration, Survey
from crosswheel.system.process import Processes


def register(machine: Machine) -> Machine:
    """Look, change what is missing, and look again; with dry_run, only tell what would change.

    Raises EngineUnavailable, and CannotRun if nothing could be registered.
    """
    host, config, listener = machine.host, machine.config, machine.listener
    before = survey(host, config.build.arch)
    found = Registration(before, before)
    _tell(before, machine)
    missing = tuple(not_running(before))
    if not missing:
        return replace(machine, registration=found)
    provider = choose_provider(
        config.containers.provider,
        host,
        missing,
        mirrors=config.containers.mirrors,
        environ=machine.environ,
        processes=Processes(),
    )
    for change in provider.changes(missing):
        listener(Note(f"{'would' if config.output.dry_run else 'will'} {change}"))
    listener(Note(SCOPE))
    if config.output.dry_run:
        return replace(machine, registration=replace(found, provider=provider.name))
    said = provider.act(missing, listener)
    # All architectures: a provider may have removed other entries.
    after = survey(host, config.build.arch)
    still = not_running(after)
    if not still:
        _tell({arch: after[arch] for arch in missing}, machine)
    error = failure(provider, still, said) if still else None
    return replace(machine, registration=replace(found, after=after, provider=provider.name, error=error))


def not_running(found: Survey) -> dict[Architecture, CannotRun]:
    """The architectures whose programs the Docker host does not run, each with the reason."""
    return {arch: answer for arch, answer in found.items() if isinstance(answer, CannotRun)}


def running_lines(found: Survey, address: str) -> Iterator[str]:
    """A line for each architecture that runs: ``aarch64 runs under QEMU on unix:///var/run/docker.sock``."""
    for arch, answer in found.items():
        if isinstance(answer, Running):
            yield f"{arch} runs {answer.how} on {address}"


def _tell(found: Survey, machine: Machine) -> None:
    for text in running_lines(found, machine.host.address):
        machine.listener(Note(text))
