"""The limits of an index beyond the standards: `data/indexes.toml` as a value."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import timedelta

from crosswheel.model.targets import load_table


@dataclass(frozen=True)
class IndexLimits:
    """The limits of one index: sizes in bytes, `open_for` from the first file of a release to its last."""

    open_for: timedelta
    file_size: int
    project_size: int
    metadata_versions: tuple[str, ...]


@functools.cache
def pypi_limits() -> IndexLimits:
    """The default limits of PyPI and TestPyPI for a project."""
    row = load_table("indexes.toml")["pypi"]
    return IndexLimits(
        open_for=timedelta(days=row["open-days"]),
        file_size=row["file-size"],
        project_size=row["project-size"],
        metadata_versions=tuple(row["metadata-versions"]),
    )
