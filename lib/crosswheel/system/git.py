"""Reads the project's git repository: commit, tags, and uncommitted changes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from crosswheel.errors import NotReleasable
from crosswheel.system.process import CommandFailed, Processes

# Variables by which git finds its programs and settings. No tokens: a repository's settings may start programs.
_SHARED = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")
_CALM = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
# Options that make the output independent of the user's settings.
_AS_ASKED = ("-c", "log.showSignature=false")
_ALL_CHANGES = ("--porcelain", "--untracked-files=normal", "--ignore-submodules=none")
_SHOWN = 5


@dataclass(frozen=True)
class Checkout:
    """A checked-out commit; `committed` in seconds since the epoch.

    `changes` are modified and untracked files, in the format of ``git status --porcelain``.
    """

    commit: str
    committed: int
    tags: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    def versions(self, tag_format: str) -> Mapping[str, Version]:
        """The tags that are versions: ``{"v1.0": Version("1.0")}``."""
        return {tag: version for tag in self.tags if (version := _version_in(tag, tag_format))}

    def tag_of(self, version: Version, tag_format: str) -> str:
        """The tag of a version in any spelling; empty if there is none."""
        return next((tag for tag, named in self.versions(tag_format).items() if named == version), "")


def read_checkout(
    folder: Path, processes: Processes, environ: Mapping[str, str], apart: Iterable[Path] = ()
) -> Checkout:
    """The checkout of the repository around a folder; files in the folders `apart` do not count as changes.

    Raises NotReleasable without a repository, a commit or git.
    """
    git = _git(folder, processes, environ)
    try:
        root = Path(git("rev-parse", "--show-toplevel").rstrip("\n")).resolve()
        commit, committed = git("log", "-1", "--format=%H%n%ct").splitlines()
        tags = git("tag", "--points-at", "HEAD").splitlines()
        changes = git("status", *_ALL_CHANGES, "--", ":/", *_but(apart, root)).splitlines()
    except FileNotFoundError as error:
        raise NotReleasable("git is not installed", hint="install git with your system's packages") from error
    except CommandFailed as error:
        raise _refused(folder, error) from error
    return Checkout(commit, int(committed), tuple(sorted(tags)), tuple(changes))


def last_commit(folder: Path, processes: Processes, environ: Mapping[str, str]) -> int | None:
    """The time of the last commit in seconds since the epoch; None without a repository or git."""
    git = _git(folder, processes, environ)
    try:
        git("rev-parse", "--verify", "--quiet", "HEAD:./")
        return int(git("log", "-1", "--format=%ct"))
    except (FileNotFoundError, CommandFailed):
        return None


def ignored_paths(folder: Path, processes: Processes, environ: Mapping[str, str]) -> frozenset[Path]:
    """The untracked files and folders that .gitignore names, as ``git clean -X`` would remove them.

    Empty without a repository or git.
    """
    git = _git(folder, processes, environ)
    try:
        listed = git("ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z")
    except (FileNotFoundError, CommandFailed):
        return frozenset()
    return frozenset(folder / name for name in listed.split("\0") if name)


def releasable_tag(checkout: Checkout, version: Version, tag_format: str) -> str:
    """The tag of the version on a commit without uncommitted changes.

    Raises NotReleasable with all problems.
    """
    complaints: list[tuple[str, str]] = []
    if checkout.changes:
        complaints.append((_changed(checkout.changes), "git commit, or git stash --include-untracked"))
    tag = checkout.tag_of(version, tag_format)
    wanted = tag_format.format(version=version)
    if not tag and (others := checkout.versions(tag_format)):
        told = f"the tag on this commit is {', '.join(others)}, but the files have version {version}"
        complaints.append((told, f"git checkout {wanted}, or build the files from this commit"))
    elif not tag:
        beside = f", only {', '.join(checkout.tags[:_SHOWN])}" if checkout.tags else ""
        told = f"the commit {checkout.commit[:12]} has no tag {wanted}{beside}"
        complaints.append((told, f"git tag {wanted}; or, if that tag exists, git checkout {wanted}"))
    if complaints:
        messages, hints = zip(*complaints, strict=True)
        raise NotReleasable("\n".join(messages), hint="; ".join(hints))
    return tag


def _git(folder: Path, processes: Processes, environ: Mapping[str, str]) -> Callable[..., str]:
    env = {name: value for name, value in environ.items() if name in _SHARED or name.startswith("GIT_CONFIG")} | _CALM
    return lambda *words: processes.run(["git", *_AS_ASKED, *words], env=env, cwd=folder)


def _version_in(tag: str, tag_format: str) -> Version | None:
    before, _, after = tag_format.partition("{version}")
    if not tag.startswith(before) or not tag.endswith(after):
        return None
    try:
        return Version(tag.removeprefix(before).removesuffix(after))
    except InvalidVersion:
        return None


def _but(folders: Iterable[Path], root: Path) -> list[str]:
    """Pathspecs of git that exclude these folders; folders outside of the repository are left out."""
    resolved = (folder.resolve() for folder in folders)
    return [f":(top,exclude,literal){path.relative_to(root)}" for path in resolved if root in path.parents]


def _changed(changes: tuple[str, ...]) -> str:
    more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
    return f"uncommitted changes: {', '.join(line[3:] for line in changes[:_SHOWN])}{more}"


def _refused(folder: Path, error: CommandFailed) -> NotReleasable:
    said = error.output.strip()
    if "not a git repository" in said:
        return NotReleasable(f"{folder.resolve()} is not in a git repository", hint="cd to a clone of the project")
    if "does not have any commits" in said:
        return NotReleasable(f"{folder.resolve()} has no commit yet", hint="git commit")
    # git's message contains the next command if there is one, such as for a repository of another user.
    return NotReleasable(f"git failed: {said or error.message}", hint=f"git -C {folder} status")
