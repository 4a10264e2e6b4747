"""The provenance of a file as an index serves it (PEP 740), held against the attestation that the file was sent with.

Signatures are compared and not verified: the index does that before it takes them.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from crosswheel.formats.distributions import Distribution


@dataclass(frozen=True)
class _Attestation:
    """What makes an attestation this one and no other; both in base64."""

    statement: str
    signature: str

    def is_of(self, file: Distribution) -> bool:
        """Whether its statement (in-toto) is about a file of this name with these bytes."""
        statement = json.loads(base64.b64decode(self.statement))
        return any(
            subject["name"] == file.filename and subject["digest"]["sha256"].lower() == file.sha256
            for subject in statement["subject"]
        )


def wrong_provenance(file: Distribution, sent: bytes, served: bytes) -> str:
    """What is wrong with the provenance object that is served, both in JSON; empty where it has what was sent."""
    try:
        ours = _read_attestation(json.loads(sent))
        if not ours.is_of(file):
            return "an attestation that was made of another file or of other bytes"
    except _MALFORMED:
        return "an attestation that cannot be read, beside the file"
    try:
        there = tuple(_attestations(json.loads(served)))
    except _MALFORMED:
        return "what is no provenance object"
    count = f"{len(there)} attestation{'s' * (len(there) != 1)}"
    return "" if ours in there else f"{count}, and none that was sent with the file"


# What reading JSON of any shape and base64 raises.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def _attestations(provenance: Mapping[str, Any]) -> Iterator[_Attestation]:
    for bundle in provenance["attestation_bundles"]:
        yield from map(_read_attestation, bundle["attestations"])


def _read_attestation(document: Mapping[str, Any]) -> _Attestation:
    envelope = document["envelope"]
    # Programs that write base64 differ in how long their lines are.
    return _Attestation("".join(envelope["statement"].split()), "".join(envelope["signature"].split()))
