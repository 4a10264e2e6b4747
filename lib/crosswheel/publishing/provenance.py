"""Compares the provenance that an index serves for a file (PEP 740) with the attestation that was sent with the file.

Signatures are compared, not verified: the index verifies them before it accepts them.
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
    """The identity of an attestation: its statement and signature, both in base64."""

    statement: str
    signature: str

    def is_of(self, file: Distribution) -> bool:
        """Whether its in-toto statement names this file and its sha256."""
        statement = json.loads(base64.b64decode(self.statement))
        return any(
            subject["name"] == file.filename and subject["digest"]["sha256"].lower() == file.sha256
            for subject in statement["subject"]
        )


def wrong_provenance(file: Distribution, sent: bytes, served: bytes) -> str:
    """Why the served provenance object does not prove the file; empty if it has the attestation that was sent.

    `sent` is the attestation beside the file and `served` the provenance object, both as JSON.
    """
    try:
        ours = _read_attestation(json.loads(sent))
        if not ours.is_of(file):
            return "an attestation of another file or of other bytes"
    except _MALFORMED:
        return "an invalid attestation beside the file"
    try:
        there = tuple(_attestations(json.loads(served)))
    except _MALFORMED:
        return "an invalid provenance object"
    count = f"{len(there)} attestation{'s' * (len(there) != 1)}"
    return "" if ours in there else f"{count}, but not the one that was sent with the file"


# Errors of reading base64, and JSON of unexpected shape.
_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)


def _attestations(provenance: Mapping[str, Any]) -> Iterator[_Attestation]:
    for bundle in provenance["attestation_bundles"]:
        yield from map(_read_attestation, bundle["attestations"])


def _read_attestation(document: Mapping[str, Any]) -> _Attestation:
    envelope = document["envelope"]
    # Programs break lines of base64 at different lengths.
    return _Attestation("".join(envelope["statement"].split()), "".join(envelope["signature"].split()))
