"""Turns a tree into a lock (PEP 751) with uv, which resolves for all Pythons and platforms at once.

A lock of the caller's is only converted, never resolved anew. No resolver is written here, and no request is made.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError
from packaging.utils import canonicalize_name

from crosswheel.errors import IndexUnreachable, MissingTool, SourceError
from crosswheel.model.targets import PythonTag, Target
from crosswheel.system.interpreters import uv
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.trees.inputs import Tree

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib

# uv honours `environments` in pyproject.toml only: requirements of other systems are left out.
_PROJECT = """\
[project]
name = "crosswheel-tree"
version = "0"
requires-python = ">={lowest}"
dependencies = []

[tool.uv]
package = false
environments = ["sys_platform == 'linux'"]
"""
_UNREACHABLE = re.compile(r"error sending request|dns error|Failed to fetch|network was disabled|Connection refused")
_OLD_PYTHON = re.compile(r"Python ?>=? ?3|requires-python|Requires-Python|current Python version", re.IGNORECASE)
_ANNOTATED = re.compile(r"^([A-Za-z0-9._-]+)[^#]*#\s*via\s+(.*)$", re.MULTILINE)
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)", re.MULTILINE)
_ANEW = "write the lock anew with the tool that made it"
_DRAWN = re.compile("[\u00d7\u2500-\u257f\u25b6]+")  # uv draws a tree
_LONGEST = 400  # characters of uv's reasoning
_LARGEST = 64 << 20  # bytes of a lock file


@dataclass(frozen=True)
class Choice:
    """What of a tree is asked for: extras and dependency groups (PEP 735) of projects, and files of constraints."""

    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    constraints: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Resolution:
    """A lock, and who requires each package, by normalised name.

    `unsolved` are the Pythons for which there is no resolution, with uv's reason.
    """

    lock: Pylock
    required_by: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unsolved: Mapping[PythonTag, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Resolver:
    """Runs uv in `folder`, an empty folder, with the caller's index settings."""

    host: LocalHost
    folder: Path
    choice: Choice = Choice()

    def resolve(self, tree: Tree, pythons: Sequence[PythonTag]) -> Resolution:
        """The resolution of a tree for these Pythons. Raises SourceError, IndexUnreachable, MissingTool."""
        if tree.kind == "pylock":
            document = _load(tree.lock)
            return Resolution(_lock(document, tree.named), _required_by(document.get("packages", ())))
        if tree.kind == "uv.lock":
            packages = _load(tree.lock).get("package", ())
            return Resolution(_lock(_parse(self._exported(tree), tree.named), tree.named), _required_by(packages))
        if tree.kind == "poetry.lock":
            packages = _load(tree.lock).get("package", ())
            return Resolution(self._of_poetry(tree, min(pythons)), _required_by(packages))
        return self._compiled(tree, pythons)

    def pins_of_wheels(self, tree: Tree, target: Target) -> Mapping[str, str] | str:
        """The newest pins that install from wheels alone, by normalised name, or uv's reason why there are none."""
        words = ["--python-version", target.python.version, "--python-platform", uv_platform(target)]
        try:
            text = self._compile(tree, [*words, "--only-binary", ":all:", "--no-annotate", "--no-header"])
        except CommandFailed as error:
            return reason_of(error)
        return {str(canonicalize_name(name)): version for name, version in _PINNED.findall(text)}

    def _compiled(self, tree: Tree, pythons: Sequence[PythonTag]) -> Resolution:
        """Without the oldest Pythons if a requirement needs a newer one."""
        unsolved: dict[PythonTag, str] = {}
        left = sorted(pythons)
        while True:
            lowest = left[0].version
            words = ["--universal", "--python-version", lowest]
            try:
                lock = _parse(self._compile(tree, [*words, "--format", "pylock.toml"], lowest), tree.named)
                break
            except CommandFailed as error:
                newer = [tag for tag in left if tag.minor > left[0].minor]
                if not newer or not _OLD_PYTHON.search(error.output):
                    raise self._failure(tree, error) from error
                unsolved.update(dict.fromkeys((tag for tag in left if tag not in newer), reason_of(error)))
                left = newer
        return Resolution(_lock(lock, tree.named), self._required_by(tree, words, lowest), unsolved)

    def _required_by(self, tree: Tree, words: Iterable[str], lowest: str) -> Mapping[str, tuple[str, ...]]:
        """From uv's cache, which has all that the resolution needed; nothing where uv has no cache."""
        try:
            return _annotations(
                self._compile(tree, [*words, "--no-header", "--annotation-style", "line"], lowest, offline=True)
            )
        except CommandFailed:
            return {}

    def _compile(self, tree: Tree, words: Iterable[str], lowest: str = "", *, offline: bool = False) -> str:
        """Run ``uv pip compile``. Raises CommandFailed."""
        project, names = self.folder / "pyproject.toml", self.folder / "names.in"
        project.write_text(_PROJECT.format(lowest=lowest or "3.9"))
        names.write_text("".join(f"{name}\n" for name in tree.names))
        command = [uv(), "pip", "compile", "--quiet", "--no-progress", *words]
        command += [word for path in self.choice.constraints for word in ("--constraint", str(path))]
        if any(path.name == "pyproject.toml" for path in tree.files):
            command += [word for extra in self.choice.extras for word in ("--extra", extra)]
            command += [word for group in self.choice.groups for word in ("--group", group)]
        command += ["--offline"] if offline and not self.host.index.offline else []
        command += [*map(str, tree.files), *([str(names)] if tree.names else [])]
        return self._run(command)

    def _exported(self, tree: Tree) -> str:
        command = [uv(), "export", "--quiet", "--frozen", "--no-emit-project", "--no-default-groups"]
        command += [word for group in self.choice.groups for word in ("--group", group)]
        command += ["--format", "pylock.toml", "--project", str(tree.lock.parent)]
        extras = [word for extra in self.choice.extras for word in ("--extra", extra)]
        try:
            return self._run([*command, *(extras or ["--all-extras"])])
        except CommandFailed as error:
            # Extras may exclude each other.
            if extras or ("conflict" not in error.output and "incompatible" not in error.output):
                raise self._failure(tree, error) from error
        try:
            return self._run(command)
        except CommandFailed as error:
            raise self._failure(tree, error) from error

    def _of_poetry(self, tree: Tree, lowest: PythonTag) -> Pylock:
        """Poetry exports its lock as pinned requirements, which uv turns into a lock as they stand."""
        pinned = self.folder / "poetry.txt"
        command = [uv(), "tool", "run", "--quiet", "--from", "poetry", "--with", "poetry-plugin-export", "poetry"]
        command += ["export", "--format", "requirements.txt", "--without-hashes", "--directory", str(tree.lock.parent)]
        command += [word for extra in self.choice.extras for word in ("--extras", extra)]
        try:
            pinned.write_text(self._run([*command, "--output", str(pinned)]) or pinned.read_text())
        except CommandFailed as error:
            raise MissingTool(
                f"poetry could not export {tree.named}: {reason_of(error)}",
                hint="poetry export --output requirements.txt; then crosswheel readiness requirements.txt",
            ) from error
        words = ["--universal", "--no-deps", "--python-version", lowest.version, "--format", "pylock.toml"]
        exported = Tree(tree.named, "requirements", (pinned,))
        try:
            return _lock(_parse(self._compile(exported, words, lowest.version), tree.named), tree.named)
        except CommandFailed as error:
            raise self._failure(tree, error) from error

    def _run(self, command: Sequence[str]) -> str:
        environ = {**self.host.installer_environ, "UV_PYTHON_DOWNLOADS": "never"}
        return self.host.processes.run(command, env=environ, cwd=self.folder)

    def _failure(self, tree: Tree, error: CommandFailed) -> SourceError | IndexUnreachable:
        reason = reason_of(error)
        if _UNREACHABLE.search(error.output):
            hint = "pip config list, to check the index"
            if self.host.index.offline:
                hint = "run the same command once without --offline"
            return IndexUnreachable(f"{tree.named} could not be resolved: {reason}", hint=hint)
        return SourceError(
            f"{tree.named} could not be resolved: {reason}", hint="correct the requirement that uv names"
        )


def uv_platform(target: Target) -> str:
    """The platform's name for uv's ``--python-platform``."""
    arch, policy = target.arch.name, target.policy
    if policy.libc == "musl":
        return f"{arch}-unknown-linux-musl"
    return f"{arch}-{policy.perennial}" if arch in {"aarch64", "x86_64"} else f"{arch}-unknown-linux"


def reason_of(error: CommandFailed) -> str:
    """The beginning of uv's message, without its drawing and hints."""
    text = " ".join(_DRAWN.sub(" ", error.output.partition("hint:")[0]).split()).removeprefix("error: ")
    return (text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...") or error.message


def _annotations(text: str) -> dict[str, tuple[str, ...]]:
    """``{"numpy": ("pandas", "matplotlib")}`` from lines with ``# via pandas, matplotlib``."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, via in _ANNOTATED.findall(text):
        words = (word.strip() for word in via.split(","))
        found[str(canonicalize_name(name))].update(word for word in words if word and not word.startswith("-r "))
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


def _load(path: Path) -> dict[str, Any]:
    if path.stat().st_size > _LARGEST:
        raise SourceError(f"{path.name} is larger than {_LARGEST >> 20} MiB, which no lock file is")
    return _parse(path.read_bytes().decode("utf-8", "replace"), path.name)


def _parse(text: str, named: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise SourceError(
            f"{named} is not TOML: {error}", hint="write the lock anew with the tool that made it"
        ) from error


def _lock(document: Mapping[str, Any], named: str) -> Pylock:
    try:
        return Pylock.from_dict(document)
    except (PylockValidationError, PylockUnsupportedVersionError) as error:
        raise SourceError(f"{named} is not a lock file of PEP 751: {error}", hint=_ANEW) from error
