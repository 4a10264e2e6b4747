"""Software bills of materials in wheels (PEP 770): CycloneDX documents in the folder sboms of dist-info."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from crosswheel import __version__
from crosswheel.formats.packages import Package

OWNERS = "owners.json"
"""Where a repair finds the packages of the libraries that it may graft: the fields of `Package` by soname."""


@dataclass(frozen=True)
class Grafted:
    """A library that was copied into a wheel as `member`; `sha256` is that of the original file.

    `package` is None if nobody knows which package the library is from.
    """

    soname: str
    member: str
    sha256: str
    package: Package | None = None


def cyclonedx(name: str, version: str, libraries: Iterable[Grafted], epoch: int) -> bytes:
    """A CycloneDX 1.4 document about a wheel of the project and the libraries in it, dated to `epoch` (seconds).

    It has the time, the tool and one path from the project to each component, as PEP 770 recommends. A library of an
    unknown package has a component without version: a known unknown.
    """
    purl = f"pkg:pypi/{quote(name, safe='')}@{quote(version, safe='')}"
    components = [_component(library) for library in sorted(libraries, key=lambda library: library.member)]
    refs = [component["bom-ref"] for component in components]
    document = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.4",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tools": [{"name": "crosswheel", "version": __version__}],
            "component": {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl},
        },
        "components": components,
        "dependencies": [{"ref": purl, "dependsOn": refs}, *({"ref": ref} for ref in refs)],
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def _component(library: Grafted) -> dict[str, Any]:
    package = library.package
    identity = {"name": package.name, "version": package.version, "purl": package.purl} if package else {}
    return {
        "type": "library",
        "bom-ref": f"{package.purl if package else ''}#{library.member}",
        "name": library.soname,
        **identity,
        "hashes": [{"alg": "SHA-256", "content": library.sha256}],
        "properties": [{"name": "crosswheel:file", "value": library.member}],
    }
