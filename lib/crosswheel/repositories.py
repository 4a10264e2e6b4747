"""Where a release goes to: an index to upload to, and the same index to read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Repository:
    """An index by its name: files are sent to `upload_url` and read back below `simple_url` (PEP 503, 691)."""

    name: str
    upload_url: str
    simple_url: str
    username: str
    password: str = field(repr=False)
