"""Packages of Linux distributions."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

_KINDS = {"deb", "apk", "rpm"}
_LONGEST = 1000
_FIELDS = 5


@dataclass(frozen=True)
class Package:
    """An installed package; `kind` is a type of a package URL (deb, apk, rpm), `distribution` the ID in os-release."""

    kind: str
    distribution: str
    name: str
    version: str
    architecture: str = ""

    @property
    def purl(self) -> str:
        """The package URL: ``pkg:rpm/almalinux/libgomp@8.5.0-22.el8_10?arch=aarch64`` (ECMA-427)."""
        parts = (self.kind, self.distribution, self.name)
        arch = f"?arch={quote(self.architecture, safe='')}" if self.architecture else ""
        return f"pkg:{'/'.join(quote(part, safe='') for part in parts if part)}@{quote(self.version, safe='')}{arch}"


def parsed_package(line: str) -> Package | None:
    """A package from ``KIND DISTRIBUTION NAME VERSION ARCHITECTURE``; None for any other text."""
    fields = line.split()
    known = len(fields) == _FIELDS and fields[0] in _KINDS and len(line) < _LONGEST
    return Package(*fields) if known else None
