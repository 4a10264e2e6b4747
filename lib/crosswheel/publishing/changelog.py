"""Reads the entry of one version from a changelog: Markdown (Keep a Changelog), reStructuredText or plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from crosswheel.errors import NotReleasable

_NAMES = ("changelog", "changes", "history", "news", "releases", "release_notes", "release-notes", "releasenotes")
_SUFFIXES = (".md", ".markdown", ".rst", ".txt", "")
_ATX = re.compile(r" {0,3}(#{1,6})\s+(.*?)\s*#*\s*")
_UNDERLINE = re.compile(r"([=\-~^\"'`#*+.:_])\1{2,}\s*")
_FENCE = re.compile(r" {0,3}```")  # not ~~~, which usually underlines a heading
_LINK_TARGET = re.compile(r"\[[^\]]+\]:\s|\.\. _[^:]+:(?:\s|$)")
_BETWEEN_WORDS = re.compile(r"[\s\[\](){}*,:;/`]+")
_UNRELEASED = re.compile(r"unreleased|not (?:yet )?released(?: yet)?|in development", re.IGNORECASE)
_MOST_BEFORE = 1  # "Version 1.0" and "tiny 1.0" are headings of 1.0, "How to come from 1.0" is not
_LONGEST_PLAIN = 6  # words: "tiny version 1.0 (1 May 2026)"


@dataclass(frozen=True)
class ChangelogEntry:
    """The changelog entry of a version; `title` is its heading."""

    path: Path
    title: str
    text: str

    @property
    def is_markdown(self) -> bool:
        return self.path.suffix.lower() in {".md", ".markdown"}


@dataclass(frozen=True)
class _Heading:
    """A heading in the lines `start` to `end` (exclusive); a lower level includes the higher ones below it."""

    title: str
    level: int
    start: int
    end: int


def read_entry(project: Path, version: Version, named: str = "") -> ChangelogEntry:
    """The entry in the file `named`, or in the changelog found in the project's folder.

    Raises NotReleasable if there is no changelog or no entry, or if the entry is empty or marked "unreleased".
    """
    path = project / named if named else _find(project)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise NotReleasable(
            f"{path} cannot be read: {error.strerror}", hint="set the option `changelog` to the right file"
        ) from error
    title, body = find_entry(text, version)
    if not title:
        raise NotReleasable(f"{path.name} has no entry for {version}", hint=f"write what is new under `{version}`")
    if not body:
        raise NotReleasable(f"the entry `{title}` in {path.name} is empty", hint="describe the changes there")
    if _UNRELEASED.search(title) or _UNRELEASED.fullmatch(body.splitlines()[0].strip("*_. ()")):
        raise NotReleasable(
            f"{path.name} marks the version as unreleased: `{title}`", hint="replace that with the date of the release"
        )
    return ChangelogEntry(path, title, body)


def find_entry(text: str, version: Version) -> tuple[str, str]:
    """The heading of a version and its text; two empty texts if there is no such heading."""
    lines = text.splitlines()
    headings = list(_headings(lines))
    if not any(_named_in(heading.title) for heading in headings):
        headings = list(_plain_headings(lines))
    # Prefer the version's own chapter to a mention in another chapter.
    own = [heading for heading in headings if _named_in(heading.title) == version]
    if not own:
        return "", ""
    chapter = min(own, key=lambda heading: heading.level)
    later = (heading for heading in headings if heading.start >= chapter.end and heading.level <= chapter.level)
    end = next((heading.start for heading in later), len(lines))
    return chapter.title, _body(lines[chapter.end : end])


def _find(project: Path) -> Path:
    """The changelog in a folder; the most common name wins."""
    files = {path.name.lower(): path for path in sorted(project.iterdir()) if path.is_file()}
    for name in (name + suffix for name in _NAMES for suffix in _SUFFIXES):
        if name in files:
            return files[name]
    raise NotReleasable(
        f"no changelog found in {project.resolve()}",
        hint="write CHANGELOG.md, or set `changelog` in pyproject.toml to your file",
    )


def _headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Headings with # before them, or with a line under or around them, outside of code blocks."""
    underlines: list[tuple[str, bool]] = []
    fenced = False
    for at, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        elif fenced:
            continue
        elif atx := _ATX.fullmatch(line):
            yield _Heading(atx[2], len(atx[1]), at, at + 1)
        elif at and (under := _UNDERLINE.fullmatch(line)) and _is_title(lines[at - 1]):
            framed = at > 1 and _UNDERLINE.fullmatch(lines[at - 2]) is not None and lines[at - 2][0] == under[1]
            style = (under[1], framed)
            if style not in underlines:  # in reStructuredText, the order of first use defines the level
                underlines.append(style)
            yield _Heading(lines[at - 1].strip(), underlines.index(style) + 1, at - 1 - framed, at + 1)


def _plain_headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Short separate lines that begin with a version."""
    for at, line in enumerate(lines):
        alone = at == 0 or not lines[at - 1].strip()
        if alone and _is_title(line) and len(line.split()) <= _LONGEST_PLAIN and _named_in(line):
            yield _Heading(line.strip(), 1, at, at + 1)


def _is_title(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not line.startswith(("- ", "* ", "+ "))


def _named_in(title: str) -> Version | None:
    """The version in a heading."""
    words = [word for text in _BETWEEN_WORDS.split(title) if (word := text.strip("_-"))]
    return next(filter(None, map(_version, words[: _MOST_BEFORE + 1])), None)


def _version(word: str) -> Version | None:
    try:
        return Version(word)
    except InvalidVersion:
        return None


def _body(lines: Sequence[str]) -> str:
    """The text without trailing link targets and horizontal rules."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or _LINK_TARGET.match(kept[-1]) or _ends_chapter(kept)):
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    return "\n".join(line.rstrip() for line in kept)


def _ends_chapter(lines: Sequence[str]) -> bool:
    return _UNDERLINE.fullmatch(lines[-1]) is not None and not "".join(lines[-2:-1]).strip()
