"""docs/what-builds.md: the rows as a table, and below it each failure in the words of the tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from corpus.projects import Project
from corpus.results import SAME, Row, plain

_HEAD = """\
# What builds: real projects, for AArch64 on x86-64

`nox -s corpus` writes this page. It builds each sdist of
[tests/corpus.toml](../tests/corpus.toml) with `crosswheel wheels NAME==VERSION --arch aarch64` and its defaults, and
compares the wheel with one for this machine: the names in both, and the answers of both to the same question, the wheel
for AArch64 under QEMU. The wheel for this machine is the project's own from the index ("published"). If there
is none, if the two differ, or if the build for AArch64 fails, pip builds it here, and the seconds of that build are in
brackets. A project that links to libraries beyond the policy gets them as `sysroot`, from packages of Debian 12, and so
the policy manylinux_2_36.
"""

_IN_CONTAINERS = """
## With an image at hand: OpenMP and Fortran

Tried by hand on 2026-11-30, in containers made of user namespaces, from the stand-in for pypa's image of the tests:

    crosswheel wheels NAME==VERSION --arch aarch64 --python cp313 --policy manylinux_2_41 --container-host namespace

`auto` chose the engine. The seconds are for a machine with ten times as much work as processors, most of them of the
image's gcc under QEMU. Tested: the wheel is installed and imported there, under QEMU.

| project | needs | engine | by the image's gcc | seconds | result |
|---|---|---|---|---|---|
| f90wrap 0.3.0 | requires Fortran | accelerated | 6 of 29 commands | 237 | tested |
| libsvm-official 3.37.0 | requires OpenMP | accelerated | 1 of 2 commands | 586 | libgomp and its threads, tested |
| pykdtree 1.4.3 | probes for OpenMP | accelerated | 2 of 3 commands | 669 | with OpenMP (libgomp is grafted), tested |
"""


def page(projects: Sequence[Project], rows: Mapping[str, Row], machine: str) -> str:
    """The page in Markdown."""
    known = [(project, rows[project.requirement]) for project in projects if project.requirement in rows]
    known.sort(key=lambda pair: pair[0].name)
    counts = Counter(row.verdict for _, row in known)
    counted = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
    table = [
        "| project | build backend | compiled code | engine | seconds (native) | result |",
        "|---|---|---|---|---|---|",
        *(_line(project, row) for project, row in known),
    ]
    tried = f"Of {len(projects)} sdists {len(known)} were tried: {counted}. {machine}"
    return (
        "\n".join(
            [_HEAD, tried, "", *table, *_failures(row for _, row in known), *_notes(known), _IN_CONTAINERS.rstrip()]
        )
        + "\n"
    )


def _line(project: Project, row: Row) -> str:
    native = "published" if row.published else f"{row.native_seconds:.1f}"
    seconds = f"{row.seconds:.1f} ({native})" if row.published or row.native_seconds else ""
    engine = row.engine and f"{row.engine}, {row.runtime}'s runtime"
    result = f"{row.verdict}; {row.tested}" if row.tested else row.verdict
    languages = ", ".join(project.languages)
    return f"| {row.name} {row.version} | {row.backend} | {languages} | {engine} | {seconds} | {result} |"


def _failures(rows: Iterable[Row]) -> list[str]:
    failed = [row for row in rows if row.verdict != SAME]
    if not failed:
        return []
    parts = ["", "## What did not build", ""]
    for row in failed:
        title = f"### {row.name} {row.version}: {row.verdict}"
        parts += [title, "", "```", *plain(row.failed).splitlines(), "```", ""]
    return parts[:-1]


def _notes(known: Iterable[tuple[Project, Row]]) -> list[str]:
    noted = [row for _, row in known if row.notes]
    if not noted:
        return []
    parts = ["", "## Differences and findings", ""]
    return [*parts, *(f"- **{row.name}**: {note}" for row in noted for note in row.notes)]
