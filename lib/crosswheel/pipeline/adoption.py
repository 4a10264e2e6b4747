"""Takes over a project's configuration for cibuildwheel or multibuild, where it has none for crosswheel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crosswheel.cibuildwheel.reader import Question, resolve
from crosswheel.cibuildwheel.release import release_of
from crosswheel.cibuildwheel.translation import translate
from crosswheel.cibuildwheel.workflows import values_in
from crosswheel.formats.project_archive import content_of_project, pack_project
from crosswheel.formats.sdists import unpack
from crosswheel.model.adoption import WorkflowValue
from crosswheel.model.config import Config
from crosswheel.model.job import Listener, Note, ProjectTree, Sdist
from crosswheel.model.pyproject import tool_names
from crosswheel.pipeline.multibuild import with_multibuild
from crosswheel.pipeline.source import folder_of, is_sdist
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import LocalHost
from crosswheel.system.scratch import temporary_folder

# Variables that say how cibuildwheel runs, not what it builds.
_OF_ITS_OWN = {"CIBW_PLATFORM", "CIBW_OUTPUT_DIR", "CIBW_ALLOW_EMPTY", "CIBW_CACHE_PATH"}


def adopted(config: Config, project: Path, host: LocalHost, listener: Listener) -> Config:
    """The configuration with what the source's table [tool.cibuildwheel] and CIBW_ variables ask for.

    `project` is the folder whose pyproject.toml counts. Unchanged if it or the source has a table [tool.crosswheel],
    or if nothing is for cibuildwheel. A folder with multibuild and without that table is multibuild's. Raises
    UsageError, MissingTool, IndexUnreachable.
    """
    if config.adoption or config.multibuild or "crosswheel" in tool_names(project):
        return config
    config = with_multibuild(config, project, host.environ)
    if config.multibuild:
        named = ", ".join(f"{name}={value}" for name, value in sorted(config.multibuild.variables.items()))
        listener(Note(f"multibuild's scripts build the wheels of this folder, with {named}"))
        return config
    with _folder_of(config.build.source) as (folder, sha256):
        variables = _variables(host.environ)
        tools = tool_names(folder) if folder else frozenset[str]()
        if folder is None or "crosswheel" in tools or not (variables or "cibuildwheel" in tools):
            return config
        archs = ",".join(map(str, config.build.arch)) if "arch" in config.given else ""
        question = Question(archs, str(config.build.arch[0]), variables)
        release = release_of(folder)
        resolution = resolve(folder, release, question, host, listener, sha256)
        adoption = translate(resolution, release, config, host.environ, folder)
    targets = adoption.targets
    build = replace(
        config.build,
        arch=tuple(dict.fromkeys(target.arch for target in targets)) or config.build.arch,
        python=config.build.python or tuple(dict.fromkeys(sorted(target.python for target in targets))),
    )
    return replace(config, build=build, adoption=adoption)


def pack_whole_project(config: Config, folder: Path) -> Path | None:
    """The archive of the whole project in `folder`, if a target's commands run in cibuildwheel's way; else None.

    It is made before the sdist, whose backend may leave files in the project. An sdist file is its own project.
    """
    own = map(config.for_target, config.adoption.targets if config.adoption else ())
    if not any(_needs_project(one) for one in own):
        return None
    with _folder_of(config.build.source) as (project, _sha256):
        if project is None:
            return None
        archive = folder / "project.tar"
        pack_project(project, archive, {config.output.folder.resolve()})
        return archive


def with_project(sdist: Sdist, config: Config, archive: Path | None) -> Sdist:
    """The sdist with that archive.

    Its content is the folder's after the sdist was made: that of the next run, which finds the files that were left.
    """
    if archive is None:
        return sdist
    content = sdist.content
    if project := folder_of(config.build.source):
        content = content_of_project(project.resolve(), {config.output.folder.resolve()}).sha256
    return replace(sdist, tree=ProjectTree(archive, content))


def _needs_project(config: Config) -> bool:
    return config.builds_in_containers or (config.test.mode != "never" and config.test_needs_project)


def not_taken(config: Config, project: Path) -> tuple[WorkflowValue, ...]:
    """The literal CIBW_ variables in the workflows of a project without a table [tool.crosswheel]."""
    source = folder_of(config.build.source)
    return values_in(source) if source and "crosswheel" not in tool_names(project) else ()


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name.startswith("CIBW_") and not name.startswith("CIBW_DEBUG_") and name not in _OF_ITS_OWN
    }


@contextmanager
def _folder_of(source: str) -> Iterator[tuple[Path | None, str]]:
    """The folder of a source, and of an sdist, which is unpacked, the sha256; None for a project on the index."""
    path = Path(source)
    if folder := folder_of(source):
        yield folder.resolve(), ""
    elif is_sdist(source) and path.is_file():
        with temporary_folder() as temporary:
            yield unpack(path, Path(temporary, "sdist")), sha256_of(path)
    else:
        yield None, ""
