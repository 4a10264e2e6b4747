"""The location of virtual environments (PEP 405) in containers, for build hooks and wheel tests.

The path is the same in every container, and different for each Python: uv caches interpreters by path, and a constant
path that gets into build results keeps them reproducible.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from crosswheel.model.targets import PythonTag

FOLDER = PurePosixPath("/crosswheel")
EMPTY = FOLDER / "empty"
"""An empty folder to run tests in, so that files beside a test cannot replace the installed ones."""


def environment(tag: PythonTag) -> PurePosixPath:
    return FOLDER / str(tag)


def python(tag: PythonTag) -> Path:
    return Path(environment(tag), "bin", "python")


def site_packages(tag: PythonTag) -> PurePosixPath:
    """The environment's site-packages folder."""
    return environment(tag) / "lib" / tag.name / "site-packages"
