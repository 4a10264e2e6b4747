"""The files of a release held against what an index has: which are missing, there, or there with other bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from crosswheel.errors import FileClash
from crosswheel.formats.distributions import Distribution
from crosswheel.release.published import PublishedFile
from crosswheel.release.repositories import Repository


@dataclass(frozen=True)
class Comparison:
    """What the index lacks, what it has with the same bytes, and what it has with others."""

    missing: tuple[Distribution, ...] = ()
    same: tuple[Distribution, ...] = ()
    clashing: tuple[tuple[Distribution, PublishedFile], ...] = ()


@dataclass(frozen=True)
class Sent:
    """The files that were sent: the others were there. `unseen` is why nobody could look whether the index lists them;
    empty, and it does list every file with our bytes.
    """

    files: tuple[Distribution, ...] = ()
    unseen: str = ""


def compare(distributions: Iterable[Distribution], published: Mapping[str, PublishedFile]) -> Comparison:
    """Each file with the one of its name on the index, by sha256; one that the index gives no sha256 of clashes."""
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
    """Raises FileClash with every file that is there with other bytes."""
    if not comparison.clashing:
        return
    rows = [clash_text(distribution, there) for distribution, there in comparison.clashing]
    raise FileClash(
        "\n".join([f"{repository.name} has other bytes under the same name", *rows]),
        hint="give the release a new version: an index never takes a file name twice",
    )


def clash_text(distribution: Distribution, there: PublishedFile) -> str:
    return f"  {distribution.filename}: sha256 {distribution.sha256} here, {there.sha256 or 'unknown'} there"


def in_order(distributions: Iterable[Distribution], *, sdist_first: bool = False) -> tuple[Distribution, ...]:
    """The sdist last, or first: where it is without the wheels, installers build from it."""
    return tuple(sorted(distributions, key=lambda distribution: (distribution.kind == "sdist") != sdist_first))
