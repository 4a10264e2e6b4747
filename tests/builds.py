"""Builds of real projects, made once per test session however many tests look at them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import pytest

from auditwheel_show import assert_auditwheel_agrees
from crosswheel.commands import run_verb

PYTHONS = ("cp311", "cp313")
# What a build is must not depend on whether a Docker Engine happens to be there, nor on what earlier ones have left.
WITHOUT_CONTAINERS: Mapping[str, Any] = {"engine": "cross", "test": "never", "fresh": True}
# The project whose build shows the whole way in `nox -s tests`; `nox -s tests-slow` has the others, some each day.
FIRST = "markupsafe==3.0.3"
# Minutes of compiling, and so for one Python only.
SLOWEST = ("contourpy==1.3.3", "levenshtein==0.27.1")


def pythons_for(source: str) -> tuple[str, ...]:
    return PYTHONS[-1:] if source in SLOWEST else PYTHONS


def marks_for(source: str) -> list[pytest.MarkDecorator]:
    return [] if source == FIRST else [pytest.mark.slow, pytest.mark.daily(1)]


@dataclass(frozen=True)
class Build:
    """What `crosswheel wheels SOURCE` left behind: exit code, what it printed, wheelhouse."""

    code: int
    printed: str
    folder: Path

    @property
    def wheels(self) -> list[Path]:
        return sorted(self.folder.glob("*.whl"))

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report


Builder = Callable[[str], Build]


@dataclass(frozen=True)
class BuildsOnce:
    """Builds in `folder`, which processes share."""

    folder: Path

    def build(self, source: str) -> Build:
        """The build of the source: one process makes it, while all others that ask wait."""
        folder = self.folder / f"build of {source}"
        ended = folder / "ended.json"
        with filelock.FileLock(f"{folder}.lock"):
            if not ended.exists():
                folder.mkdir(exist_ok=True)  # of one that ended with an error
                made = build(source, folder)
                assert_auditwheel_agrees(made.wheels)
                ended.write_text(json.dumps({"code": made.code, "printed": made.printed}))
        return Build(**json.loads(ended.read_text()), folder=folder / "wheelhouse")


def build(source: str, folder: Path) -> Build:
    """Cross-compile for aarch64; the project's folder is `folder`."""
    printed = io.StringIO()
    options = {
        "source": source,
        "arch": ["aarch64"],
        "python": list(pythons_for(source)),
        "download-python": "never",
        **WITHOUT_CONTAINERS,
    }
    code = run_verb("wheels", folder, options, printed)
    return Build(code, printed.getvalue(), folder / "wheelhouse")
