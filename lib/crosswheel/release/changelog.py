"""The entry of one version in a changelog: Markdown (Keep a Changelog), reStructuredText or plain text."""

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
_FENCE = re.compile(r" {0,3}```")  # not ~~~, which is a line under a heading more often
_LINK_TARGET = re.compile(r"\[[^\]]+\]:\s|\.\. _[^:]+:(?:\s|$)")
_BETWEEN_WORDS = re.compile(r"[\s\[\](){}*,:;/`]+")
_MOST_BEFORE = 1  # "Version 1.0" and "tiny 1.0" are headings of it, "How to come from 1.0" is not
_LONGEST_PLAIN = 6  # words: "tiny version 1.0 (1 May 2026)"


@dataclass(frozen=True)
class Entry:
    """What a changelog says of a version; `title` is its heading."""

    path: Path
    title: str
    text: str

    @property
    def is_markdown(self) -> bool:
        return self.path.suffix.lower() in {".md", ".markdown"}


@dataclass(frozen=True)
class _Heading:
    """Of the lines from `start` to before `end`; the lower the level, the more is below it."""

    title: str
    level: int
    start: int
    end: int


def read_entry(project: Path, version: Version, named: str = "") -> Entry:
    """The entry in the file that is `named`, or in the one that the project's folder has.

    Raises NotReleasable where there is no changelog, no entry, nothing in it, or one that says "unreleased".
    """
    path = project / named if named else _find(project)
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise NotReleasable(
            f"{path} cannot be read: {error.strerror}", hint="the option `changelog` names it"
        ) from error
    title, body = find_entry(text, version)
    if not title:
        raise NotReleasable(f"{path.name} has no entry for {version}", hint=f"write what is new under `{version}`")
    if not body:
        raise NotReleasable(f"{path.name} says nothing under `{title}`", hint="write there what is new")
    if "unreleased" in title.lower() or body.splitlines()[0].strip("*_. ").lower() == "unreleased":
        raise NotReleasable(f"{path.name} calls it unreleased: `{title}`", hint="write the day of the release there")
    return Entry(path, title, body)


def find_entry(text: str, version: Version) -> tuple[str, str]:
    """The heading of a version and what stands under it; two empty texts where there is none."""
    lines = text.splitlines()
    headings = list(_headings(lines))
    if not any(_named_in(heading.title) for heading in headings):
        headings = list(_plain_headings(lines))
    # The chapter of a version, before what some other chapter may have to say of it.
    own = [heading for heading in headings if _named_in(heading.title) == version]
    if not own:
        return "", ""
    chapter = min(own, key=lambda heading: heading.level)
    later = (heading for heading in headings if heading.start >= chapter.end and heading.level <= chapter.level)
    end = next((heading.start for heading in later), len(lines))
    return chapter.title, _body(lines[chapter.end : end])


def _find(project: Path) -> Path:
    """The likeliest name first."""
    files = {path.name.lower(): path for path in sorted(project.iterdir()) if path.is_file()}
    for name in (name + suffix for name in _NAMES for suffix in _SUFFIXES):
        if name in files:
            return files[name]
    raise NotReleasable(
        f"there is no changelog in {project.resolve()}",
        hint="write CHANGELOG.md, or say by `changelog` in pyproject.toml which file it is",
    )


def _headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Those with # before them, and those with a line under or around them, outside of blocks of code."""
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
            if style not in underlines:  # whose first use says how deep it is, in reStructuredText
                underlines.append(style)
            yield _Heading(lines[at - 1].strip(), underlines.index(style) + 1, at - 1 - framed, at + 1)


def _plain_headings(lines: Sequence[str]) -> Iterator[_Heading]:
    """Short lines of their own that begin with a version."""
    for at, line in enumerate(lines):
        alone = at == 0 or not lines[at - 1].strip()
        if alone and _is_title(line) and len(line.split()) <= _LONGEST_PLAIN and _named_in(line):
            yield _Heading(line.strip(), 1, at, at + 1)


def _is_title(line: str) -> bool:
    return bool(line.strip()) and not line[0].isspace() and not line.startswith(("- ", "* ", "+ "))


def _named_in(title: str) -> Version | None:
    """The version that a heading is about."""
    words = [word for text in _BETWEEN_WORDS.split(title) if (word := text.strip("_-"))]
    return next(filter(None, map(_version, words[: _MOST_BEFORE + 1])), None)


def _version(word: str) -> Version | None:
    try:
        return Version(word)
    except InvalidVersion:
        return None


def _body(lines: Sequence[str]) -> str:
    """Without what stands after it: targets of links, a line across the page."""
    kept = list(lines)
    while kept and (not kept[-1].strip() or _LINK_TARGET.match(kept[-1]) or _ends_chapter(kept)):
        kept.pop()
    while kept and not kept[0].strip():
        kept.pop(0)
    return "\n".join(line.rstrip() for line in kept)


def _ends_chapter(lines: Sequence[str]) -> bool:
    return _UNDERLINE.fullmatch(lines[-1]) is not None and not "".join(lines[-2:-1]).strip()
