"""Images with the results of `before-all`: made once per image, command and project content, then reused.

The command runs in a container like a build's, but without the environment of a Python, which each job has. Its
results become a layer over the image, without the project's sources and the caller's network settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath

from crosswheel.containers.environment import FOLDER
from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.containers.layers import ensure_layer
from crosswheel.containers.ownership import KIND, LABEL, PROJECT, labels
from crosswheel.engines.container_workspace import PREPARED, ContainerWorkspace
from crosswheel.engines.services import Services
from crosswheel.errors import BuildFailed
from crosswheel.formats.sdists import unpack_sdist
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Sdist, chore
from crosswheel.system.process import CommandFailed

_SOURCES = PurePosixPath("/etc/crosswheel/sources")

Open = Callable[[], AbstractContextManager[ContainerWorkspace]]


def prepared(
    image: Image, tools: str, job: Job, sdist: Sdist, config: Config, services: Services, start: Open
) -> Image:
    """The image with that layer; `tools` identifies the compilers in it, and `start` starts a container of it.

    Raises BuildFailed.
    """
    facts = services.facts
    # With --fresh it belongs to this run only, and the next run removes it.
    own = [labels()[LABEL]] if config.build.fresh else []
    given = [tools, job.engine, config.build.before_all, sorted(config.build.environment.items()), sdist.content, *own]

    def make(repository: str, tag: str) -> str:
        with chore(f"running before-all in {image.reference}, once for this sdist", services.listener):
            return _make(repository, tag, sdist, config, start)

    return ensure_layer(facts.containers, image, "before-all", given, facts.host.cache, facts.host.processes, make)


def _make(repository: str, tag: str, sdist: Sdist, config: Config, start: Open) -> str:
    command = config.build.before_all
    with start() as workspace:
        source = unpack_sdist(sdist, workspace.root / "before-all")
        folder = PREPARED / source.name
        container, log = workspace.container, workspace.log
        container.put(source, to=PREPARED)
        try:
            container.run(
                ["sh", "-c", command.replace("{project}", str(folder))],
                env=_without_python(workspace),
                cwd=folder,
                log=log,
                deadline=workspace.deadline,
            )
        except CommandFailed as error:
            first = command.strip().splitlines()[0]
            raise BuildFailed(f"{first!r} ended with {error.ending}", hint=f"less {log}") from error
        _clear(container, source, folder, workspace.root)
        ours = {KIND: "before-all", PROJECT: sdist.name}
        # Without the label of a run, it outlives the run.
        return container.commit(repository, tag, ours if config.build.fresh else {**ours, LABEL: ""})


def _without_python(workspace: ContainerWorkspace) -> dict[str, str]:
    """The environment without a Python in PATH except the image's: the layer serves all Pythons."""
    environ = {name: value for name, value in workspace.environ.items() if name != "VIRTUAL_ENV"}
    own = str(workspace.python.parent)
    return {**environ, "PATH": ":".join(path for path in environ["PATH"].split(":") if path != own)}


def _clear(container: Container, source: Path, folder: PurePosixPath, root: Path) -> None:
    """Remove unchanged sources, so that only files made or changed by the command stay in the project's folder."""
    files = (path for path in sorted(source.rglob("*")) if path.is_file() and not path.is_symlink())
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(source)}" for path in files)
    container.write({_SOURCES: "".join(f"{line}\n" for line in sums).encode("utf-8", "surrogateescape")})
    rest = (root, _SOURCES.parent, FOLDER)
    container.run(["sh", "-c", _CLEAR, "sh", str(folder), str(_SOURCES), *map(str, rest)])


_CLEAR = """
set -eu
cd "$1"
sha256sum -c "$2" 2>/dev/null | sed -n 's/: OK$//p' | while IFS= read -r name; do rm -f "./$name"; done
find . -depth -type d -exec rmdir {} + 2>/dev/null || :
shift 2
rm -rf "$@"
"""
