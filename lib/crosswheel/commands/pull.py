"""`pull`: fetch the images that wheels are built in, and check them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from crosswheel import __version__
from crosswheel.commands.settings import settings
from crosswheel.containers.docker_host import DockerHost, connect
from crosswheel.containers.images import Image, ensure_image, find_image, image_arch, pinned_image
from crosswheel.errors import CrosswheelError, explaining
from crosswheel.model.config import Config
from crosswheel.model.job import Listener
from crosswheel.model.targets import Architecture, Target, oldest_policy, python_tags
from crosswheel.report.console import console_for
from crosswheel.report.document import SCHEMA, write_json
from crosswheel.report.run import display
from crosswheel.report.untrusted import lines
from crosswheel.report.wording import COMMAND, Line, size_text


@dataclass(frozen=True)
class _Row:
    """What became of one image: `there` from before, pulled, with --dry-run missing, or not to be had."""

    platform: str
    arch: Architecture
    reference: str = ""
    image: Image | None = None
    there: bool = False
    error: CrosswheelError | None = None

    @property
    def state(self) -> str:
        if self.error:
            return "failed"
        if self.image:
            return "there" if self.there else "pulled"
        return "missing"


@explaining()
def pull(project: Path, options: Mapping[str, Any], stream: TextIO) -> int:
    """One image after the other; those that cannot be had do not keep the others away. Builds nothing."""
    config = settings(project, options)
    host = connect(config.containers.docker_host, os.environ)
    with closing(host.client), display(stream, os.environ) as listener:
        rows = [_row(host, config, target, listener) for target in _targets(config)]
    console = console_for(stream, os.environ)
    for style, line in _lines(rows):
        console.print(line, style=style or None, soft_wrap=True)
    if config.output.json:
        write_json(config.output.json, _document(host, rows))
    return next((row.error.exit_code for row in rows if row.error), 0)


def _targets(config: Config) -> Iterator[Target]:
    """One for each architecture: an image has every CPython, so that it does not matter which is named here."""
    for arch in config.build.arch:
        yield Target(python_tags()[0], arch, config.build.policy or oldest_policy(arch))


def _row(host: DockerHost, config: Config, target: Target, listener: Listener) -> _Row:
    family = config.family_for(target)
    row = _Row(f"{target.policy}_{target.arch}", image_arch(target, family))
    try:
        row = replace(row, reference=config.image_for(target, family) or pinned_image(target, family).reference)
        image = find_image(host, row.reference, row.arch, config.containers.mirrors)
        if image or config.output.dry_run:
            return replace(row, image=image, there=image is not None)
        image = ensure_image(
            host,
            row.reference,
            row.arch,
            mirrors=config.containers.mirrors,
            offline=config.build.offline,
            listener=listener,
        )
    except CrosswheelError as error:
        return replace(row, error=error)
    return replace(row, image=image)


_MARKS = {"there": "✔", "pulled": "✔", "missing": "-", "failed": "✘"}
_STYLES = {"there": "", "pulled": "green", "missing": "yellow", "failed": "red"}


def _lines(rows: list[_Row]) -> Iterator[Line]:
    width = max((len(row.platform) for row in rows), default=0)
    for row in rows:
        size = size_text(row.image.size) if row.image else ""
        digest = row.image.digest if row.image and row.image.digest not in row.reference else ""
        line = f"{_MARKS[row.state]} {row.platform:<{width}}  {row.state:<7}  {size:>10}  {row.reference}  {digest}"
        yield _STYLES[row.state], line.rstrip()
        if row.error:
            yield from (("red", f"    {text}") for text in lines(row.error.message))
            yield from ((COMMAND, f"    try: {text}") for text in lines(row.error.hint))


def _document(host: DockerHost, rows: list[_Row]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "pull",
        "crosswheel": __version__,
        "docker_host": host.address,
        "images": [_image(row) for row in rows],
    }


def _image(row: _Row) -> dict[str, Any]:
    return {
        "platform": row.platform,
        "state": row.state,
        "reference": row.reference,
        "arch": row.arch.name,
        "id": row.image.id if row.image else "",
        "digest": row.image.digest if row.image else "",
        "size": row.image.size if row.image else None,
        "error": {
            "kind": type(row.error).__name__,
            "exit_code": row.error.exit_code,
            "message": row.error.message,
            "hint": row.error.hint,
        }
        if row.error
        else None,
    }
