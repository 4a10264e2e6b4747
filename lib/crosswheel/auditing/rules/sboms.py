"""5xx: software bills of materials in the folder sboms of dist-info (PEP 770)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from crosswheel.auditing.rules.rule import Rule
from crosswheel.formats.wheels import Wheel
from crosswheel.model.job import Finding
from crosswheel.model.targets import Target
from crosswheel.system.budget import OverBudget
from crosswheel.system.pages import Measure

# As auditwheel and `repair` name a copy: by the first digits of the hash of its content.
_GRAFTED = re.compile(r"[^/]+\.libs/(?P<stem>[^/]+?)-[0-9a-f]{8}\.(?:[^/]+\.)?so(?:\.[^/]*)?")
_SHOWN = 5
_MOST = 20  # documents of a wheel


class SbomUnreadable(Rule):
    """A software bill of materials is not a JSON document."""

    code = "W519"
    level = "note"
    why = "Scanners read CycloneDX and SPDX documents in JSON, as PEP 770 recommends, and skip the file."
    fix = "write the document as JSON in UTF-8 (.cdx.json, .spdx.json)"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        for member in wheel.sboms[:_MOST]:
            if _document(wheel, member) is None:
                yield self.finding(member=member, found="no JSON document", expected="a JSON object in UTF-8")


class LibraryUnnamed(Rule):
    """No software bill of materials names the libraries that were grafted into the wheel."""

    code = "W520"
    level = "note"
    why = "Scanners cannot tell which library it is, and do not report its vulnerabilities."
    fix = "repair the wheel with `crosswheel wheels`, or with auditwheel 6.5 or later in the image it was built in"

    def check(self, wheel: Wheel, target: Target | None) -> Iterator[Finding]:
        grafted = {member: match["stem"] for member in wheel.members if (match := _GRAFTED.fullmatch(member))}
        if not grafted:
            return
        unnamed, components = dict(grafted), 0
        for member in wheel.sboms[:_MOST]:
            if (text := wheel.text_of(member)) is None:
                return  # too large to be read: nobody knows what it names
            components += _count(_document(wheel, member) or {})
            unnamed = {library: stem for library, stem in unnamed.items() if stem not in text}
        # A package may have another name than its library: as many components as libraries are taken for them.
        if components >= len(grafted):
            return
        if unnamed:
            more = f" and {len(unnamed) - _SHOWN} more" if len(unnamed) > _SHOWN else ""
            found = ", ".join(member.rpartition("/")[2] for member in sorted(unnamed)[:_SHOWN]) + more
            yield self.finding(member=min(unnamed), found=found, expected="a component for each")


def _document(wheel: Wheel, member: str) -> dict[str, Any] | None:
    """None for what is no JSON object; an empty one for a document that is too large to be read."""
    data = wheel.data_of(member)
    if data is None:
        return {}
    try:
        document = json.loads(Measure().take(data).decode("utf-8-sig"))
    except (OverBudget, RecursionError):
        return {}
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _count(document: dict[str, Any]) -> int:
    """The components beside the one that the document is about, of CycloneDX; the packages of SPDX."""
    components, metadata = document.get("components"), document.get("metadata")
    main = metadata.get("component") if isinstance(metadata, dict) else None
    if isinstance(components, list):
        try:
            return len([component for component in components if component != main])
        except RecursionError:
            return 0
    packages = document.get("packages")
    return len(packages) - 1 if isinstance(packages, list) else 0
