"""`register`: make the Docker host run programs of every configured architecture."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from crosswheel import __version__
from crosswheel.commands.settings import settings
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.containers.emulation import Running, probe, survey
from crosswheel.errors import CannotRun, explaining
from crosswheel.model.job import Listener, Note
from crosswheel.model.targets import Architecture
from crosswheel.report.document import SCHEMA, write_json
from crosswheel.report.run import display
from crosswheel.report.wording import running_text
from crosswheel.steps.register import SCOPE, choose_provider, failure
from crosswheel.system.process import Processes

_Survey = dict[Architecture, Running | CannotRun]


@explaining()
def register(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Look, say what will change, change it, and look again; with --dry-run, only the first two."""
    config = settings(project, options)
    host = connect(config.containers.docker_host, os.environ)
    with display(stream, os.environ) as listener:
        before = survey(host, config.build.arch)
        _tell(host, before, listener)
        missing = _missing(before)
        if not missing:
            _write(config.output.json, host, before, before, provider="")
            return 0
        provider = choose_provider(
            config.containers.provider,
            host,
            tuple(missing),
            mirrors=config.containers.mirrors,
            environ=os.environ,
            processes=Processes(),
        )
        for change in provider.changes(tuple(missing)):
            listener(Note(f"{'would' if config.output.dry_run else 'will'} {change}"))
        listener(Note(SCOPE))
        if config.output.dry_run:
            _write(config.output.json, host, before, before, provider=provider.name)
            return 0
        said = provider.act(tuple(missing), listener)
        # Everything: who makes room for new entries may have lost others.
        probe.cache_clear()
        after = survey(host, config.build.arch)
        _write(config.output.json, host, before, after, provider=provider.name)
        if still := _missing(after):
            raise failure(provider, still, said)
        _tell(host, {arch: after[arch] for arch in missing}, listener)
    return 0


def _missing(found: _Survey) -> dict[Architecture, CannotRun]:
    return {arch: answer for arch, answer in found.items() if isinstance(answer, CannotRun)}


def _tell(host: DockerHost, found: _Survey, listener: Listener) -> None:
    for arch, answer in found.items():
        if isinstance(answer, Running):
            listener(Note(f"{arch} runs {running_text(answer)} on {host.address}"))


def _write(path: Path | None, host: DockerHost, before: _Survey, after: _Survey, *, provider: str) -> None:
    if path is None:
        return
    rows = [{"arch": arch.name, "before": _answer(before[arch]), "after": _answer(after[arch])} for arch in before]
    heading = {"schema": SCHEMA, "kind": "register", "crosswheel": __version__}
    write_json(path, {**heading, "docker_host": host.address, "provider": provider, "architectures": rows})


def _answer(answer: Running | CannotRun) -> dict[str, Any]:
    if isinstance(answer, CannotRun):
        return {"runs": False, "natively": False, "cpu": "", "reason": answer.message}
    return {"runs": True, "natively": answer.natively, "cpu": answer.cpu, "reason": ""}
