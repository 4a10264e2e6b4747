"""`verify`: read a release back from an index, and prove that installers choose it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from crosswheel.audit.rules.wheelhouse import entry
from crosswheel.commands.audit import targets_of
from crosswheel.commands.settings import settings
from crosswheel.errors import VerifyFailed, explaining
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.formats.wheels import Wheel, read_wheel
from crosswheel.model.config import Config
from crosswheel.model.targets import Target, oldest_policy
from crosswheel.pipeline.plan import served_targets
from crosswheel.release.repositories import find_repository
from crosswheel.report.console import console_for
from crosswheel.report.document import write_json
from crosswheel.report.run import display
from crosswheel.report.verify import verify_document, verify_text
from crosswheel.steps.verify import verify as read_back
from crosswheel.system.package_index import read_pip_settings
from crosswheel.system.process import Processes


@explaining()
def verify(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """Show file by file and target by target what the index serves; nothing is sent, changed or installed."""
    config = settings(project, options)
    distributions = read_distributions(config.output.files)
    targets = release_targets(distributions, config, project)
    repository = find_repository(
        config.release.repository, config, os.environ, read_pip_settings(Processes(), os.environ)
    )
    with display(stream, os.environ) as listener:
        done = read_back(
            repository,
            distributions,
            targets,
            listener,
            patience=config.release.patience,
            jobs=config.build.jobs,
            ignore=config.audit.ignore,
        )
    stream.write(verify_text(done, console_for(stream, os.environ)))
    stream.flush()
    if config.output.json:
        write_json(config.output.json, verify_document(done))
    return 0 if done.ok else VerifyFailed.exit_code


def release_targets(distributions: Sequence[Distribution], config: Config, project: Path) -> tuple[Target, ...]:
    """Every target that a wheel serves by its tags, and what the project's configuration promises besides."""
    wheels = [read_wheel(file.path) for file in distributions if file.kind == "wheel"]
    served = (target for wheel in wheels for target in _served(wheel, config))
    targets = {*served, *targets_of([entry(wheel) for wheel in wheels], config, project)}
    return tuple(sorted(targets, key=lambda target: (str(target.arch), target.policy, target.python)))


def _served(wheel: Wheel, config: Config) -> Iterator[Target]:
    """A pure wheel is for every platform: the configured architectures stand for them."""
    pure = [(oldest_policy(arch), arch) for arch in config.build.arch] if wheel.is_pure else []
    required = str(wheel.metadata.get("Requires-Python", ""))
    return served_targets(wheel.tags, required, (*wheel.platforms, *pure))
