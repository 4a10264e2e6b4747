"""Where a container has the environment (PEP 405) of one of its interpreters: for build hooks, or for a wheel's test.

At the same place in every container, and each Python at its own: uv remembers an interpreter by its path, and a path
that is the same in all builds makes no difference where it gets into what they build.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from crosswheel.model.targets import PythonTag

FOLDER = PurePosixPath("/crosswheel")
EMPTY = FOLDER / "empty"
"""A folder with nothing in it: what lies beside a test must not stand in for what was installed."""


def environment(tag: PythonTag) -> PurePosixPath:
    return FOLDER / str(tag)


def python(tag: PythonTag) -> Path:
    return Path(environment(tag), "bin", "python")


def site_packages(tag: PythonTag) -> PurePosixPath:
    """Where its packages are."""
    return environment(tag) / "lib" / tag.name / "site-packages"
