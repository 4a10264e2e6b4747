"""docs/what-builds.md: the rows as a table, and below it each failure in the words of the tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from corpus.projects import Project
from corpus.results import SAME, Row, plain

_HEAD = """\
# What builds: real projects, for AArch64 on x86-64

`nox -s corpus` writes this page. It builds each sdist of
[tests/corpus.toml](../tests/corpus.toml) twice: natively with pip, and with
`crosswheel wheels NAME==VERSION --arch aarch64` and its defaults. Then the names in both wheels are compared, both are
imported, and both are asked the same question: the wheel for AArch64 by an AArch64 CPython under QEMU. A project that
links to libraries beyond the policy gets them as `sysroot`, from packages of Debian 12, and so the policy
manylinux_2_36.
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
    return "\n".join([_HEAD, tried, "", *table, *_failures(row for _, row in known), *_notes(known)]) + "\n"


def _line(project: Project, row: Row) -> str:
    seconds = f"{row.seconds:.1f} ({row.native_seconds:.1f})" if row.native_seconds else ""
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
