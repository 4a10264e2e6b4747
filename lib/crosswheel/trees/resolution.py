"""Turns a tree into a lock (PEP 751) with uv, which resolves for all Pythons and platforms at once.

A lock of the caller's is only converted, never resolved anew. No resolver is written here, and no request is made.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from crosswheel import __version__
from crosswheel.errors import MissingTool, SourceError
from crosswheel.model.targets import PythonTag, Target
from crosswheel.system.interpreters import uv
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import answers_in
from crosswheel.system.process import CommandFailed
from crosswheel.trees.cells import Cell
from crosswheel.trees.inputs import Tree, places_of
from crosswheel.trees.refusals import reason_of, refused, unbuilt_in

if TYPE_CHECKING:
    from packaging.pylock import Pylock

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib

# uv honours `environments` in pyproject.toml only: requirements and wheels of other systems and machines are left out.
_PROJECT = """\
[project]
name = "crosswheel-tree"
version = "0"
requires-python = ">={lowest}"
dependencies = []

[tool.uv]
package = false
environments = ["sys_platform == 'linux'{machines}"]
"""
# For a package whose metadata cannot be built here: its requirements stay unknown.
_UNKNOWN = """
[[tool.uv.dependency-metadata]]
name = "{name}"
requires-dist = []
"""
_MOST_UNKNOWN = 20
_OLD_PYTHON = re.compile(r"Python ?>=? ?3|requires-python|Requires-Python|current Python version", re.IGNORECASE)
_ANNOTATED = re.compile(r"^([A-Za-z0-9._-]+)[^#]*#\s*via\s+(.*)$", re.MULTILINE)
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_ANEW = "write the lock anew with the tool that made it"
_LARGEST = 64 << 20  # bytes of a lock file


@dataclass(frozen=True)
class Choice:
    """What of a tree is asked for: extras and dependency groups (PEP 735) of projects, and files of constraints."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Resolution:
    """The text of a lock (PEP 751), and who requires each package, by normalised name.

    `unsolved` are the Pythons for which there is no resolution, with uv's reason. `unknown` are the packages whose
    requirements are not known, because a build of their metadata failed.
    """

    text: str
    named: str
    required_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsolved: Mapping[PythonTag, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()

    @cached_property
    def lock(self) -> Pylock:
        """The lock. Raises SourceError for a text that is none."""
        return _lock(_parse(self.text, self.named), self.named)


@dataclass(frozen=True)
class Resolver:
    """Runs uv in `folder`, an empty folder, with the caller's index settings."""

    host: LocalHost
    folder: Path
    choice: Choice = Choice()
    machines: tuple[str, ...] = ()
    """The architectures that count; empty: all."""
    unknown: list[str] = field(default_factory=list)
    """The packages of which uv could not build the metadata; found while it resolves."""

    def resolve(self, tree: Tree, pythons: Sequence[PythonTag]) -> Resolution:
        """The resolution of a tree for these Pythons. Raises the errors of `refused`, SourceError, MissingTool."""
        if tree.kind == "pylock":
            text = _read(tree.lock)
            return Resolution(text, tree.named, _required_by(_parse(text, tree.named).get("packages", ())))
        if tree.kind == "uv.lock":
            packages = _parse(_read(tree.lock), tree.lock.name).get("package", ())
            return Resolution(self._exported(tree), tree.named, _required_by(packages))
        if tree.kind == "poetry.lock":
            packages = _parse(_read(tree.lock), tree.lock.name).get("package", ())
            return Resolution(self._of_poetry(tree, min(pythons)), tree.named, _required_by(packages))
        return self._compiled(tree, pythons)

    def pins_of_wheels(self, tree: Tree, cell: Cell) -> Mapping[str, str] | str:
        """The newest pins that install from wheels alone, by normalised name, or uv's reason why there are none."""
        words = ["--python-version", cell.newest_patch, "--python-platform", uv_platform(cell)]
        try:
            text = self._compile(
                tree, [*words, "--only-binary", ":all:", "--no-annotate", "--no-header"], python=cell.python
            )
        except CommandFailed as error:
            return reason_of(error)
        return {str(canonicalize_name(name)): version for name, version in _PINNED.findall(text)}

    def _compiled(self, tree: Tree, pythons: Sequence[PythonTag]) -> Resolution:
        """Without the oldest Pythons if a requirement needs a newer one; without metadata that cannot be built."""
        unsolved: dict[PythonTag, str] = {}
        left = sorted(pythons)
        while True:
            lowest = left[0]
            words = ["--universal", "--no-header", "--python-version", lowest.version]
            try:
                text = self._compile(tree, [*words, "--format", "pylock.toml"], lowest)
                break
            except CommandFailed as error:
                newer = [tag for tag in left if tag.minor > left[0].minor]
                name = unbuilt_in(error)
                if name and name not in self.unknown and len(self.unknown) < _MOST_UNKNOWN:
                    self.unknown.append(name)
                elif newer and _OLD_PYTHON.search(error.output):
                    unsolved.update(dict.fromkeys((tag for tag in left if tag not in newer), reason_of(error)))
                    left = newer
                else:
                    raise refused(tree.named, error) from error
        required = self._required_by(tree, words, lowest, text)
        return Resolution(text, tree.named, required, unsolved, tuple(self.unknown))

    def _required_by(
        self, tree: Tree, words: Iterable[str], lowest: PythonTag, lock: str
    ) -> Mapping[str, tuple[str, ...]]:
        """From uv's cache, which has all that the resolution needed; nothing where uv has no cache.

        An earlier run has asked for the same lock of the same requirements.
        """
        answers = answers_in(self.host.cache)
        inputs = [lock, *tree.names, *(path.read_text("utf-8", "replace") for path in tree.files), *self.choice.extras]
        question = ("required by", hashlib.sha256(json.dumps(inputs).encode()).hexdigest(), __version__)
        if (kept := answers.recall(*question)) is not None:
            return {name: tuple(by) for name, by in kept.items()}
        try:
            found = _annotations(self._compile(tree, [*words, "--annotation-style", "line"], lowest, offline=True))
        except CommandFailed:
            return {}
        answers.keep(found, *question)
        return found

    def _compile(
        self,
        tree: Tree,
        words: Iterable[str],
        lowest: PythonTag | None = None,
        *,
        python: PythonTag | None = None,
        offline: bool = False,
    ) -> str:
        """Run ``uv pip compile``, with this machine's `python` or `lowest`, if there is one. Raises CommandFailed."""
        project, names = self.folder / "pyproject.toml", self.folder / "names.in"
        unknown = "".join(_UNKNOWN.format(name=name) for name in self.unknown)
        either = " or ".join(f"platform_machine == '{machine}'" for machine in self.machines)
        machines = f" and ({either})" if either else ""
        project.write_text(_PROJECT.format(lowest=lowest.version if lowest else "3.9", machines=machines) + unknown)
        names.write_text("".join(f"{name}\n" for name in tree.names))
        command = [uv(), "pip", "compile", "--quiet", "--no-progress", "--project", str(self.folder), *words]
        # Without it, uv starts every Python in PATH, among them pyenv's shims, which start hundreds of processes.
        tag = python or lowest
        interpreter = self.host.interpreters.get(tag) if tag else None
        command += ["--python", str(interpreter.path)] if interpreter else []
        command += [word for path in self.choice.constraints for word in ("--constraint", str(path))]
        if any(path.name == "pyproject.toml" for path in tree.files):
            command += [word for extra in self.choice.extras for word in ("--extra", extra)]
            projects = [path for path in tree.files if path.name == "pyproject.toml"]
            named = [f"{path}:{group}" for path in projects for group in self.choice.groups]
            command += [word for group in named for word in ("--group", group)]
        command += ["--offline"] if offline and not self.host.index.offline else []
        command += [*map(str, tree.files), *([str(names)] if tree.names else [])]
        path = interpreter.path if interpreter else Path(sys.executable)
        return self.host.resolve(command, self.folder, path, places_of(tree, self.choice.constraints))

    def _exported(self, tree: Tree) -> str:
        command = [uv(), "export", "--quiet", "--frozen", "--no-emit-workspace", "--no-default-groups"]
        command += [word for group in self.choice.groups for word in ("--group", group)]
        command += ["--format", "pylock.toml", "--project", str(tree.lock.parent)]
        extras = [word for extra in self.choice.extras for word in ("--extra", extra)]
        try:
            return self._run([*command, *(extras or ["--all-extras"])])
        except CommandFailed as error:
            # Extras may exclude each other.
            if extras or ("conflict" not in error.output and "incompatible" not in error.output):
                raise refused(tree.named, error) from error
        try:
            return self._run(command)
        except CommandFailed as error:
            raise refused(tree.named, error) from error

    def _of_poetry(self, tree: Tree, lowest: PythonTag) -> str:
        """Poetry exports its lock as pinned requirements, which uv turns into a lock as they stand."""
        pinned = self.folder / "poetry.txt"
        command = [uv(), "tool", "run", "--quiet", "--from", "poetry", "--with", "poetry-plugin-export", "poetry"]
        command += ["export", "--format", "requirements.txt", "--without-hashes", "--directory", str(tree.lock.parent)]
        command += [word for extra in self.choice.extras for word in ("--extras", extra)]
        try:
            pinned.write_text(self._run([*command, "--output", str(pinned)]) or pinned.read_text())
        except CommandFailed as error:
            reason = reason_of(error)
            if "poetry.lock was last generated" in reason:
                raise SourceError(
                    f"poetry does not export {tree.named}: {reason}", hint="poetry lock; then the same command"
                ) from error
            raise MissingTool(
                f"poetry could not export {tree.named}: {reason}",
                hint="poetry export --output requirements.txt; then crosswheel readiness requirements.txt",
            ) from error
        words = ["--universal", "--no-deps", "--python-version", lowest.version, "--format", "pylock.toml"]
        exported = Tree(tree.named, "requirements", (pinned,))
        try:
            return self._compile(exported, words, lowest)
        except CommandFailed as error:
            raise refused(tree.named, error) from error

    def _run(self, command: Sequence[str]) -> str:
        environ = {**self.host.installer_environ_with_login, "UV_PYTHON_DOWNLOADS": "never"}
        return self.host.processes.run(command, env=environ, cwd=self.folder)


def uv_platform(target: Target) -> str:
    """The platform's name for uv's ``--python-platform``."""
    arch, policy = target.arch.name, target.policy
    if policy.libc == "musl":
        return f"{arch}-unknown-linux-musl"
    return f"{arch}-{policy.perennial}" if arch in {"aarch64", "x86_64"} else f"{arch}-unknown-linux"


def _annotations(text: str) -> dict[str, tuple[str, ...]]:
    """``{"numpy": ("pandas", "matplotlib")}`` from lines with ``# via pandas, matplotlib``."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, via in _ANNOTATED.findall(text):
        words = (word.strip() for word in via.split(","))
        found[str(canonicalize_name(name))].update(word for word in words if word and not word.startswith("-"))
    return {name: tuple(sorted(by)) for name, by in found.items() if by}


def _required_by(packages: Iterable[Any]) -> dict[str, tuple[str, ...]]:
    """The same from the packages of a lock file, which have tables or lists of their dependencies."""
    found: dict[str, set[str]] = defaultdict(set)
    for package in packages:
        if not isinstance(package, Mapping) or not isinstance(package.get("name"), str):
            continue
        for dependency in package.get("dependencies", ()):
            name = dependency.get("name") if isinstance(dependency, Mapping) else dependency
            if isinstance(name, str):
                found[str(canonicalize_name(name))].add(package["name"])
    return {name: tuple(sorted(by)) for name, by in found.items()}


def _read(path: Path) -> str:
    if path.stat().st_size > _LARGEST:
        raise SourceError(f"{path.name} is larger than {_LARGEST >> 20} MiB, which no lock file is")
    return path.read_bytes().decode("utf-8", "replace")


def _parse(text: str, named: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(
            f"{named} is not TOML: {error}", hint="write the lock anew with the tool that made it"
        ) from error


def _lock(document: Mapping[str, Any], named: str) -> Pylock:
    from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

    _name_wheels(document)
    try:
        return Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise SourceError(f"{named} is not a lock file of PEP 751: {error}", hint=_ANEW) from error


def _name_wheels(document: Mapping[str, Any]) -> None:
    """Write the names of wheels beside their addresses, as they are there: uv writes some in lower case.

    Without a name, `packaging` parses the address at each look.
    """
    packages = document.get("packages")
    for package in packages if isinstance(packages, list) else ():
        wheels = package.get("wheels") if isinstance(package, dict) else None
        for wheel in wheels if isinstance(wheels, list) else ():
            if isinstance(wheel, dict) and isinstance(url := wheel.get("url"), str):
                wheel["name"] = unquote(urlsplit(url).path.rpartition("/")[2])
