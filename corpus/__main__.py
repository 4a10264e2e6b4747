"""`nox -s corpus`: what real projects become, one at a time.

    nox -s corpus                        what has no result yet; a run that was stopped goes on
    nox -s corpus -- --sample 20         twenty of the list, others each day
    nox -s corpus -- numpy pandas        these, again
    nox -s corpus -- --again             all whose last result was a failure
    nox -s corpus -- --draw              only the page anew, from corpus/results.json

Sdists are built with the rights of the user, natively without any sandbox: the list pins their hashes.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

import platformdirs
import pytest

from arm import find_arm_python
from corpus import results
from corpus.builds import MINOR
from corpus.commands import Failed
from corpus.page import page
from corpus.projects import Project, WrongSdist, read_projects
from corpus.trial import Trial
from crosswheel.errors import CrosswheelError
from crosswheel.model.job import deaf
from crosswheel.model.targets import PythonTag
from crosswheel.system.local_host import local_host
from daily import turn
from debian import DebianUnavailable

_ROOT = Path(__file__).parents[1]
_RESULTS, _PAGE = _ROOT / "corpus/results.json", _ROOT / "docs/what-builds.md"


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 if a project that builds natively gave a failed build or a wrong wheel."""
    asked = _parser().parse_args(arguments)
    projects, rows = read_projects(), results.read(_RESULTS)
    chosen = () if asked.draw else _chosen(projects, rows, asked)
    if chosen:
        trial = _trial()
        for project in chosen:
            print(f"{project.requirement} ...", flush=True)
            try:
                row = trial.run(project)
            except (CrosswheelError, WrongSdist, DebianUnavailable, Failed) as error:  # also if pip takes too long
                print(f"  left out: {error}", flush=True)
                continue
            print(f"  {row.verdict}, {row.seconds} s, natively {row.native_seconds} s", flush=True)
            if row.failed:
                print("    " + "\n    ".join(row.failed.splitlines()), flush=True)
            rows = {**results.read(_RESULTS), project.requirement: row}  # another run may have written meanwhile
            results.write(rows, _RESULTS)
    results.write(rows, _RESULTS)
    _PAGE.write_text(page(projects, rows, _machine()))
    bad = {results.BUILD_FAILED, results.WRONG}
    return int(any(rows[one.requirement].verdict in bad for one in chosen if one.requirement in rows))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s corpus --", description=__doc__)
    parser.add_argument("names", nargs="*", help="projects to try, whatever the last result was")
    parser.add_argument("--sample", type=int, help="so many projects, others each day")
    parser.add_argument("--again", action="store_true", help="try again what failed")
    parser.add_argument("--draw", action="store_true", help="only write the page anew")
    return parser


def _chosen(projects: Sequence[Project], rows: dict[str, results.Row], asked: argparse.Namespace) -> Sequence[Project]:
    if unknown := set(asked.names) - {project.name for project in projects}:
        raise SystemExit(f"not in tests/corpus.toml: {', '.join(sorted(unknown))}")
    if asked.names:
        return [project for project in projects if project.name in asked.names]
    if asked.sample:
        return turn(projects, asked.sample, dt.datetime.now(dt.timezone.utc).date().toordinal())
    wanted = {results.BUILD_FAILED, results.WRONG, results.REFUSED} if asked.again else set()
    return [one for one in projects if one.requirement not in rows or rows[one.requirement].verdict in wanted]


def _trial() -> Trial:
    interpreter = local_host(offline=False, listener=deaf).interpreters.get(PythonTag(MINOR))
    if interpreter is None:
        raise SystemExit(f"the corpus needs CPython 3.{MINOR}: uv python install 3.{MINOR}")
    cache = platformdirs.user_cache_path("crosswheel-tests", appauthor=False)
    kept = platformdirs.user_cache_path("crosswheel-corpus", appauthor=False)
    try:
        return Trial(kept, interpreter.path, find_arm_python(cache))
    except pytest.skip.Exception as reason:
        raise SystemExit(f"the corpus needs a CPython for AArch64: {reason}") from None


def _machine() -> str:
    return f"Seconds of {os.cpu_count()} processors, {platform.system()} {platform.machine()}, with other work on them."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
