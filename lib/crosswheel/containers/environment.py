"""Where a container has the environment (PEP 405) of one of its interpreters: for build hooks, or for a wheel's test.

At the same place in every container: uv remembers an interpreter by its path, and a path that is the same in all builds
makes no difference where it gets into what they build.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from crosswheel.targets import PythonTag

ENVIRONMENT = PurePosixPath("/crosswheel/environment")
PYTHON = Path(ENVIRONMENT, "bin", "python")


def site_packages(tag: PythonTag) -> PurePosixPath:
    """Where its packages are."""
    return ENVIRONMENT / "lib" / tag.name / "site-packages"
