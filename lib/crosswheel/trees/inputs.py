"""What callers name: requirements, requirement files, projects and lock files; a lock is judged as it stands."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from packaging.requirements import InvalidRequirement, Requirement

from crosswheel.errors import UsageError

Kind: TypeAlias = Literal["requirements", "pylock", "uv.lock", "poetry.lock"]

# The locks of a project's folder, in the order in which they are looked for.
_LOCKS = ("uv.lock", "pylock.toml", "poetry.lock")
# Options that name files in requirement files, and requirements that are paths.
_NAMED_PATH = re.compile(
    r"^\s*(?:-[rcef]|--requirement|--constraint|--editable|--find-links)[\s=]*([^\s;#]+)"
    r"|^\s*(?:[\w.-]+(?:\[[^]]*\])?\s*@\s*)?((?:file://)?[\w.-]*/[^\s;#]*)",
    re.MULTILINE,
)
_OPERATORS = ("<", ">", "=", "!", "~")
_ADDRESS = re.compile(r"(?:git\+)?(?:https?|ssh|file)://")
_LOOKS_LIKE_A_PATH = re.compile(r"[./~]|.*/|.*\.(?:txt|in|toml|lock|cfg|py)\Z")


@dataclass(frozen=True)
class Tree:
    """One dependency tree to judge: `named` as the caller wrote it.

    A tree of `requirements` has files that uv reads (requirement files, pyproject.toml) and single requirements; the
    other kinds have one file, a lock.
    """

    named: str
    kind: Kind
    files: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()

    @property
    def lock(self) -> Path:
        """The lock's file."""
        return self.files[0]


def places_of(tree: Tree, constraints: Iterable[Path]) -> tuple[Path, ...]:
    """The files and folders that a resolution reads: requirement files with those that they name, and projects."""
    found: dict[Path, None] = {}
    for path in (*tree.files, *constraints):
        _add(path.absolute(), found)
    for name in tree.names:
        _add_named(name, Path.cwd(), found)
    return tuple(found)


def _add(path: Path, found: dict[Path, None]) -> None:
    if path.name == "pyproject.toml" and path.parent != Path.home():
        path = path.parent
    if path in found or not path.exists():
        return
    found[path] = None
    if path.is_file() and path.suffix != ".whl":
        _add_named(path.read_text("utf-8", "replace"), path.parent, found)


def _add_named(text: str, folder: Path, found: dict[Path, None]) -> None:
    for match in _NAMED_PATH.finditer(text):
        word = next(filter(None, match.groups())).removeprefix("file://").strip("\"'").partition("[")[0]
        if "://" not in word:
            # Files that a file names are beside it, and projects are found from the current folder.
            for beside in dict.fromkeys((folder, Path.cwd())):
                _add(Path(os.path.normpath(beside / word)), found)


def read_inputs(words: Iterable[str], project: Path) -> tuple[Tree, ...]:
    """The trees of the words; all words that are no lock are one tree together. Without words: the project.

    Raises UsageError with every word that is neither a file, nor a folder of a project, nor a requirement.
    """
    mistakes: list[str] = []
    found = [tree for word in _whole(words) or [str(project)] for tree in _read(word, mistakes)]
    if mistakes:
        raise UsageError(mistakes, hint="crosswheel readiness requirements.txt; or a folder, a lock file, a name")
    loose = [tree for tree in found if tree.kind == "requirements"]
    locks = [tree for tree in found if tree.kind != "requirements"]
    return (*([_joined(loose)] if loose else []), *locks)


def _whole(words: Iterable[str]) -> list[str]:
    """The words, with requirements put together that were split at a comma: ``pandas>=2,<3``, ``app[fast,safe]``."""
    found: list[str] = []
    for word in words:
        if found and (word.startswith(_OPERATORS) or found[-1].count("[") > found[-1].count("]")):
            found[-1] += f",{word}"
        else:
            found.append(word)
    return found


def _joined(trees: Iterable[Tree]) -> Tree:
    trees = tuple(trees)
    return Tree(
        ", ".join(dict.fromkeys(tree.named for tree in trees)),
        "requirements",
        tuple(dict.fromkeys(path for tree in trees for path in tree.files)),
        tuple(dict.fromkeys(name for tree in trees for name in tree.names)),
    )


def _read(word: str, mistakes: list[str]) -> Iterator[Tree]:
    path = Path(word)
    if path.is_dir():
        yield from _project(word, path, mistakes)
    elif path.is_file():
        yield Tree(word, _kind(path), (path.absolute(),))
    elif _ADDRESS.match(word):
        yield Tree(word, "requirements", names=(word,))
    elif _LOOKS_LIKE_A_PATH.match(word) and "@" not in word:
        mistakes.append(f"there is no file or folder {word!r}")
    else:
        try:
            yield Tree(word, "requirements", names=(str(Requirement(word)),))
        except InvalidRequirement as error:
            mistakes.append(f"{word!r} is no file, no folder and no requirement: {str(error).partition(chr(10))[0]}")


def _project(word: str, folder: Path, mistakes: list[str]) -> Iterator[Tree]:
    for name in (*_LOCKS, "pyproject.toml", "requirements.txt"):
        if (folder / name).is_file():
            yield Tree(word, _kind(folder / name), ((folder / name).absolute(),))
            return
    mistakes.append(f"the folder {word!r} has no {', '.join(_LOCKS)}, pyproject.toml or requirements.txt")


def _kind(path: Path) -> Kind:
    if path.name == "uv.lock":
        return "uv.lock"
    if path.name == "poetry.lock":
        return "poetry.lock"
    if not path.name.startswith("pylock."):
        return "requirements"
    from packaging.pylock import is_valid_pylock_path

    return "pylock" if is_valid_pylock_path(path) else "requirements"
