"""A report as Markdown, for the summary page of a CI run."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from crosswheel.model.job import Failure, Outcome, Report
from crosswheel.reporting.tables import summary_columns
from crosswheel.reporting.untrusted import lines, one_line
from crosswheel.reporting.wording import closing_lines, headline, left_out_lines, remark_lines

# Characters with a meaning in Markdown, HTML or GitHub (mentions, issues, autolinks) become entities.
# An underscore inside a word has no meaning, and every target contains some.
_MEANINGFUL = re.compile(
    r"[\\`*{}\[\]<>&|#~@]|(?<![0-9a-z])_|_(?![0-9a-z])|(?<=[a-z]):(?=//)|(?<=www)\.",
    re.IGNORECASE,
)
_TAIL_LINES = 30  # of a log: the summaries of a CI run are limited
_BACKTICKS = re.compile("`+")


def report_markdown(report: Report) -> str:
    """The text of `summary_text` as Markdown, with the end of each log folded."""
    outcomes = report.outcomes
    noted = chain.from_iterable(remark_lines(outcome) for outcome in outcomes)
    parts = [
        f"### crosswheel: {escape(one_line(report.plan.source))}",
        *(f"**{escape(line)}**" for _, line in closing_lines(report)),
        "\n".join(_table(outcomes)),
        *(_failure(outcome, outcome.failure) for outcome in outcomes if outcome.failure),
        "\n".join(_item(line) for _, line in chain(noted, left_out_lines(report.plan))),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escape(text: str) -> str:
    return _MEANINGFUL.sub(lambda match: f"&#{ord(match[0])};", text)


def _item(line: str) -> str:
    """A list item; an indented line becomes an item of a nested list."""
    text = line.lstrip()
    return f"{' ' * (len(line) - len(text))}- {escape(text)}"


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    columns = summary_columns(outcomes)
    if not outcomes:
        return
    yield row(column.name for column in columns)
    yield row("--:" if column.number else "---" for column in columns)
    for outcome in outcomes:
        yield row(column.cell(outcome) for column in columns)


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(escape(cell) for cell in cells)} |"


def fenced(text: str) -> str:
    """The text as a code block whose fence is longer than any fence in it."""
    fence = "`" * max(3, 1 + max(map(len, _BACKTICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}"


def _failure(outcome: Outcome, failure: Failure) -> str:
    said = [*lines(failure.message), *(f"try: {line}" for line in lines(failure.hint))]
    tail = [line for text in failure.log_tail[-_TAIL_LINES:] for line in lines(text)]
    where = [f"log: {one_line(str(outcome.log))}"] if outcome.log else []
    text = fenced("\n".join([*said, "", *tail, *where]))
    return f"<details><summary>{escape(headline(outcome))}</summary>\n\n{text}\n\n</details>"
