"""Takes over a folder with multibuild: a config.sh, and multibuild's scripts in multibuild/.

The scripts run unmodified in containers, which get a copy of the folder. The folder itself stays as it is: multibuild's
`clean_code` is not run, and what is checked out is built.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

from crosswheel.errors import SourceError, UsageError
from crosswheel.formats.project_archive import Content, content_of_project, pack_project
from crosswheel.formats.sdists import as_epoch
from crosswheel.model.config import Config
from crosswheel.model.config_reader import parsed
from crosswheel.model.job import Listener, Need, Sdist, chore
from crosswheel.model.multibuild import (
    BUILD_VARIABLES,
    FOLDER,
    TARGET_VARIABLES,
    TEST_VARIABLES,
    Multibuild,
)
from crosswheel.model.pyproject import declared_name, tool_names
from crosswheel.model.targets import oldest_policy
from crosswheel.pipeline.source import folder_of, requires_python_of
from crosswheel.system.git import ignored_paths, last_commit
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import LocalHost

_SCRIPTS = Path("multibuild", "docker_build_wrap.sh")
_PROJECT_FILES = ("pyproject.toml", "setup.py", "setup.cfg")
_UNKNOWN = "0+unknown"  # the version, before a wheel has one
_TESTS = re.compile(r"^\s*(?:function\s+)?(?:run_tests|install_run)\b", re.MULTILINE)
_REFERENCES = {"HEAD", "packed-refs"}


def with_multibuild(config: Config, project: Path, environ: Mapping[str, str]) -> Config:
    """The configuration with the source's multibuild; unchanged if it has none, or a table of another tool.

    `environ` has the variables that multibuild's scripts read. Raises UsageError.
    """
    folder = folder_of(config.build.source)
    if config.multibuild or not folder or "crosswheel" in tool_names(project):
        return config
    variables = _variables(environ)
    settings = folder / variables.get("CONFIG_PATH", "config.sh")
    if not settings.is_file() or {"crosswheel", "cibuildwheel"} & tool_names(folder) or not _has_scripts(folder):
        return config
    multibuild = Multibuild(
        folder.resolve(),
        {**variables, "REPO_DIR": variables.get("REPO_DIR") or _only_project(folder)},
        tests=bool(_TESTS.search(settings.read_text("utf-8", "replace"))),
    )
    if not multibuild.project.is_dir():
        text = f"REPO_DIR is {multibuild.variables['REPO_DIR']}, but {folder} has no such folder"
        raise UsageError(text, hint="git submodule update --init; or REPO_DIR=FOLDER before the command")
    return _tested(_targeted(replace(config, multibuild=multibuild), environ, project), multibuild)


def needs_of(multibuild: Multibuild) -> tuple[Need, ...]:
    """What engines must have for it."""
    return (Need("multibuild", multibuild.variables.get("CONFIG_PATH", "config.sh"), sure=True),)


def fetch_folder(multibuild: Multibuild, host: LocalHost, folder: Path, output: Path, listener: Listener) -> Sdist:
    """The whole folder as an archive in `folder`, in the place of an sdist.

    Left out: wheels, virtual environments, bytecode, and what .gitignore names in the project. `content` has of git's
    own files only the references. The version is unknown until a wheel has one.
    """
    name = declared_name(multibuild.project) or _normalised(multibuild.project.resolve().name)
    path = folder / f"{name}-multibuild.tar"
    with chore(f"packing {multibuild.folder.name}", listener):
        content = _pack(multibuild, host, path, output)
    epoch = last_commit(multibuild.project, host.processes, host.environ) or content.newest or time.time()
    return Sdist(
        path=path,
        name=name,
        version=_UNKNOWN,
        sha256=sha256_of(path),
        requires_python=requires_python_of(str(multibuild.project), host),
        epoch=as_epoch(int(host.environ.get("SOURCE_DATE_EPOCH") or epoch)),
        content=content.sha256,
        compiled=True,
        cxx=True,
        needs=needs_of(multibuild),
    )


# ---- the configuration ----------------------------------------------------------------------------------------------


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    known = (*BUILD_VARIABLES, *TEST_VARIABLES)
    return {name: environ[name] for name in dict.fromkeys(known) if environ.get(name)}


def _has_scripts(folder: Path) -> bool:
    """Raises UsageError for a submodule that is not checked out."""
    if (folder / _SCRIPTS).is_file():
        return True
    scripts = folder / _SCRIPTS.parent
    if scripts.is_dir() and not any(scripts.iterdir()):
        hint = f"git -C {folder} submodule update --init --recursive"
        raise UsageError(f"{scripts} is empty: multibuild's scripts are not checked out", hint=hint)
    return False


def _only_project(folder: Path) -> str:
    """The folder with the Python project, as REPO_DIR names it. Raises UsageError unless there is exactly one."""
    inside = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != _SCRIPTS.parent.name)
    found = [name for name in (*inside, ".") if any((folder / name / file).is_file() for file in _PROJECT_FILES)]
    if len(found) == 1:
        return found[0]
    text = f"REPO_DIR is not set, and {folder} has {'no project' if not found else 'several: ' + ', '.join(found)}"
    raise UsageError(text, hint=f"REPO_DIR={found[0] if found else 'FOLDER'} crosswheel wheels, as in .travis.yml")


def _targeted(config: Config, environ: Mapping[str, str], project: Path) -> Config:
    """With the targets and the image that the variables name, where no option does."""
    given = {name: environ[name] for name in TARGET_VARIABLES if environ.get(name)}
    wanted = {
        "python": [given["MB_PYTHON_VERSION"]] if "MB_PYTHON_VERSION" in given else None,
        "arch": [given["PLAT"]] if "PLAT" in given else None,
        "policy": _policy(given),
    }
    build = replace(
        config.build,
        **parsed({name: value for name, value in wanted.items() if value and name not in config.given}, project),
    )
    config = replace(config, build=build)
    if (image := given.get("DOCKER_IMAGE")) and not config.given & {"image", "images"}:
        images = {
            f"{build.policy or oldest_policy(arch)}_{arch}": re.sub(r"\$(?:plat\b|\{plat\})", arch.name, image)
            for arch in build.arch
        }
        config = replace(config, containers=replace(config.containers, images=images))
    return config


def _policy(given: Mapping[str, str]) -> str:
    """The policy of MB_ML_LIBC and MB_ML_VER, such as ``manylinux_2_28`` for ``_2_28``; empty without them."""
    libc, version = given.get("MB_ML_LIBC", "manylinux"), given.get("MB_ML_VER", "")
    if not version and libc == "musllinux":
        version = "_1_1"  # multibuild's default
    return f"{libc}{version}" if version else ""


def _tested(config: Config, multibuild: Multibuild) -> Config:
    """With the project's own tests, unless there is another test command."""
    if not multibuild.tests or "test-command" in config.given:
        return config
    return replace(config, test=replace(config.test, command=multibuild.test_command))


# ---- the archive ----------------------------------------------------------------------------------------------------


def _pack(multibuild: Multibuild, host: LocalHost, to: Path, output: Path) -> Content:
    top = multibuild.folder
    ignored = ignored_paths(multibuild.project, host.processes, host.environ)
    left_out = {top / multibuild.wheels, output.resolve(), *ignored}
    pack_project(top, to, left_out, top=str(FOLDER.relative_to("/")))
    return content_of_project(top, left_out, counts=_counts)


def _counts(inside: PurePosixPath) -> bool:
    """Whether the content is the project's: of git's own files only those that name commits."""
    if ".git" not in inside.parts:
        return True
    return "logs" not in inside.parts and (inside.name in _REFERENCES or "refs" in inside.parts)


def _normalised(name: str) -> str:
    from packaging.utils import InvalidName, canonicalize_name

    with suppress(InvalidName):
        return canonicalize_name(name, validate=True)
    raise SourceError(f"{name!r} is no name of a project", hint="[project] name in its pyproject.toml")
