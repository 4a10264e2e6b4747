"""Compares the files of a release with an index: missing, present, or present with different bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from crosswheel.errors import FileClash
from crosswheel.formats.distributions import Distribution
from crosswheel.publishing.published import PublishedFile, PublishedProject
from crosswheel.publishing.repositories import Repository


@dataclass(frozen=True)
class Comparison:
    """The files that the index lacks, has with the same bytes, and has with different bytes."""

    missing: tuple[Distribution, ...] = ()
    same: tuple[Distribution, ...] = ()
    clashing: tuple[tuple[Distribution, PublishedFile], ...] = ()


@dataclass(frozen=True)
class Sent:
    """The files that were sent; the others were already there.

    `unseen` is the reason why the listing could not be checked; empty if the index lists every file with our bytes.
    `project` is what the index stated after the last file, or when it was last read.
    """

    files: tuple[Distribution, ...] = ()
    unseen: str = ""
    project: PublishedProject = field(default_factory=PublishedProject)


def compare(distributions: Iterable[Distribution], published: Mapping[str, PublishedFile]) -> Comparison:
    """Compare each file with the index's file of the same name by sha256; without a sha256 it counts as a clash."""
    missing, same, clashing = [], [], []
    for distribution in distributions:
        there = published.get(distribution.filename)
        if not there:
            missing.append(distribution)
        elif there.sha256 == distribution.sha256:
            same.append(distribution)
        else:
            clashing.append((distribution, there))
    return Comparison(tuple(missing), tuple(same), tuple(clashing))


def refuse_clashes(repository: Repository, comparison: Comparison) -> None:
    """Raise FileClash, listing every file that the index has with different bytes."""
    if not comparison.clashing:
        return
    rows = [clash_text(distribution, there) for distribution, there in comparison.clashing]
    raise FileClash(
        "\n".join([f"{repository.name} has files of the same name with different bytes", *rows]),
        hint="give the release a new version: an index never accepts a file name twice",
    )


def clash_text(distribution: Distribution, there: PublishedFile) -> str:
    return f"  {distribution.filename}: sha256 {distribution.sha256} here, {there.sha256 or 'unknown'} there"


def in_order(distributions: Iterable[Distribution], *, sdist_first: bool = False) -> tuple[Distribution, ...]:
    """The files in upload order: the sdist last, because installers build from an sdist without wheels."""
    return tuple(sorted(distributions, key=lambda distribution: (distribution.kind == "sdist") != sdist_first))
