"""`pull`: fetch the images that wheels are built in, onto the Docker host or unpacked into this machine's cache."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.containers.docker_host import connect
from crosswheel.containers.images import Image
from crosswheel.images.store import UnpackedImage
from crosswheel.model.job import Listener
from crosswheel.reporting.console import plain_console
from crosswheel.reporting.document import SCHEMA, Document
from crosswheel.reporting.run import shown
from crosswheel.reporting.untrusted import lines
from crosswheel.reporting.wording import COMMAND, Line, size_text
from crosswheel.steps import PREPARE
from crosswheel.steps.machine import Machine, PulledImage
from crosswheel.steps.pull import pull_unpacked
from crosswheel.system.locks import at_work, own_cache, user_cache

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import PathText, PullOptions


@dataclass(frozen=True)
class PullReport(Result):
    """The state of each image; `docker_host` is the address of the engine, empty for unpacked images."""

    docker_host: str
    images: tuple[PulledImage, ...]

    @property
    def exit_code(self) -> int:
        """The code of the first image that could not be pulled."""
        return next((image.error.exit_code for image in self.images if image.error), 0)

    def document(self) -> Document:
        return {
            "schema": SCHEMA,
            "kind": "pull",
            "crosswheel": __version__,
            "docker_host": self.docker_host,
            "images": [_image(row) for row in self.images],
        }

    def text(self, console: Console | None = None) -> str:
        from rich.text import Text

        console = console or plain_console()
        rows = (Text(line, style, no_wrap=True, overflow="ignore") for style, line in _lines(self.images))
        return shown(console, rows)


@public
def pull(*, project: PathText = ".", listener: Listener | None = None, **options: Unpack[PullOptions]) -> PullReport:
    """Fetch the images that wheels are built in, one after the other, and check them; builds nothing.

    With `unpacked`, no container engine is needed: their files go to this machine's cache (`UnpackedImage.root`).

    `project` is the folder whose pyproject.toml counts. `listener` is called with events (`crosswheel.model.job`).

    Returns a PullReport: `.images` (each with `.state`, `.reference` and `.error`), `.ok`, `.exit_code`, `.document()`
    (what --json writes); str() is the text. If one image fails, the others are still pulled.
    Raises UsageError for wrong options, EngineUnavailable.
    """
    return from_code(run, "pull", project, listener, options)


def run(call: Call) -> PullReport:
    if call.config.containers.unpacked:
        cache = own_cache(user_cache(call.environ))
        with at_work(cache):
            return PullReport("", pull_unpacked(cache, call.config, call.listener, call.environ))
    host = connect(call.config.containers.docker_host, call.environ)
    with closing(host.client):
        machine = PREPARE.without("register").fold(Machine(host, call.config, call.listener, call.environ))
    return PullReport(host.address, machine.images)


_MARKS = {"there": "✔", "pulled": "✔", "missing": "-", "failed": "✘"}
_STYLES = {"there": "", "pulled": "green", "missing": "yellow", "failed": "red"}


def _lines(rows: tuple[PulledImage, ...]) -> Iterator[Line]:
    width = max((len(row.platform) for row in rows), default=0)
    for row in rows:
        size = size_text(row.image.size) if row.image else ""
        digest = row.image.digest if row.image and row.image.digest not in row.reference else ""
        line = f"{_MARKS[row.state]} {row.platform:<{width}}  {row.state:<7}  {size:>10}  {row.reference}  {digest}"
        yield _STYLES[row.state], line.rstrip()
        if row.error:
            yield from (("red", f"    {text}") for text in lines(row.error.message))
            yield from ((COMMAND, f"    try: {text}") for text in lines(row.error.hint))


def _image(row: PulledImage) -> dict[str, Any]:
    return {
        "platform": row.platform,
        "state": row.state,
        "reference": row.reference,
        "arch": row.arch.name,
        "id": row.image.id if isinstance(row.image, Image) else "",
        "root": str(row.image.root) if isinstance(row.image, UnpackedImage) else "",
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
