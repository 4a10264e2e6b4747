"""Provenance of PEP 740, good and of every other shape."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

from crosswheel.formats.distributions import Distribution
from crosswheel.publishing.provenance import wrong_provenance

NAME, SHA256 = "tiny-1.0.tar.gz", "a" * 64
FILE = Distribution(Path(NAME), canonicalize_name("tiny"), Version("1.0"), "sdist", 1, SHA256)


def attestation(name: str = NAME, sha256: str = SHA256, signature: str = "c2ln") -> dict[str, Any]:
    statement = {"subject": [{"name": name, "digest": {"sha256": sha256}}]}
    text = base64.b64encode(json.dumps(statement).encode()).decode()
    return {"version": 1, "envelope": {"statement": text, "signature": signature}}


def provenance(*attestations: dict[str, Any]) -> bytes:
    bundles = [{"publisher": {"kind": "GitHub"}, "attestations": [one]} for one in attestations]
    return json.dumps({"version": 1, "attestation_bundles": bundles}).encode()


def wrong(sent: object, served: bytes) -> str:
    return wrong_provenance(FILE, json.dumps(sent).encode(), served)


def test_what_was_sent_is_served() -> None:
    assert wrong(attestation(), provenance(attestation(signature="b3RoZXI="), attestation())) == ""


def test_lines_of_base64_may_be_of_any_length() -> None:
    ours = attestation()
    wrapped = {**ours, "envelope": {key: f"{text[:3]}\n{text[3:]}\n" for key, text in ours["envelope"].items()}}
    assert wrong(ours, provenance(wrapped)) == ""


def test_other_attestations_are_served() -> None:
    served = provenance(attestation(signature="b3RoZXI="))
    assert wrong(attestation(), served) == "1 attestation, but not the one that was sent with the file"
    assert wrong(attestation(), provenance()) == "0 attestations, but not the one that was sent with the file"


@pytest.mark.parametrize("ours", [attestation(name="other-1.0.tar.gz"), attestation(sha256="b" * 64)])
def test_an_attestation_of_other_bytes_is_no_proof(ours: dict[str, Any]) -> None:
    assert wrong(ours, provenance(ours)) == "an attestation of another file or of other bytes"


@pytest.mark.parametrize(
    "served",
    [
        b"{",
        b"[]",
        b"null",
        b'{"attestation_bundles": null}',
        b'{"attestation_bundles": [{"attestations": [{"envelope": {"statement": 1, "signature": ""}}]}]}',
        b"[" * 100_000,
    ],
)
def test_what_is_served_may_be_of_any_shape(served: bytes) -> None:
    assert wrong(attestation(), served) == "an invalid provenance object"


@pytest.mark.parametrize("ours", [None, [], {}, {"envelope": {"statement": "!", "signature": ""}}])
def test_what_lies_beside_the_file_may_be_of_any_shape(ours: object) -> None:
    assert wrong(ours, provenance(attestation())) == "an invalid attestation beside the file"


def test_what_pypi_attestations_writes_is_read() -> None:
    """The index makes its provenance object with the same library, from what was sent."""
    import pypi_attestations as library

    statement = attestation()["envelope"]["statement"].encode()
    material = library.VerificationMaterial.model_validate(
        {"certificate": b"Y2VydA==", "transparency_entries": [{"logIndex": 1}]}
    )
    sent = library.Attestation(
        version=1,
        verification_material=material,
        envelope=library.Envelope(statement=statement, signature=b"c2ln"),
    ).model_dump_json()
    bundle = library.AttestationBundle(
        publisher=library.GitHubPublisher(repository="us/tiny", workflow="release.yml"),
        attestations=[library.Attestation.model_validate_json(sent)],
    )
    served = library.Provenance(attestation_bundles=[bundle]).model_dump_json()
    assert wrong_provenance(FILE, sent.encode(), served.encode()) == ""
