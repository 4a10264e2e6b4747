"""What is signed, where, and what is said where nothing can be: the log of signatures itself stays out of this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from twine.utils import DEFAULT_REPOSITORY

from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.job import Event, Note
from crosswheel.publishing.attestations import attestation_of, make_attestations
from crosswheel.publishing.repositories import Repository
from crosswheel.testing import tiny_wheel

PYPI = Repository("pypi", DEFAULT_REPOSITORY, "", "__token__", "")


class Attestation:
    def __init__(self, text: str) -> None:
        self.text = text

    def model_dump_json(self) -> str:
        return self.text


@pytest.fixture
def files(tmp_path: Path) -> tuple[Distribution, ...]:
    for tag in ("cp312-cp312-manylinux_2_17_aarch64", "cp313-cp313-manylinux_2_17_aarch64"):
        tiny_wheel(tmp_path, tag=tag)
    return read_distributions([tmp_path])


@pytest.fixture
def signing(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """pypi-attestations and sigstore as they are, but for the identity, the authority and the log."""
    import pypi_attestations
    import sigstore.models
    import sigstore.oidc
    import sigstore.sign

    signed: list[str] = []

    class Context:
        @contextmanager
        def signer(self, identity: str, *, cache: bool) -> Iterator[str]:
            yield f"{identity} by {cache}"

    def sign(_signer: str, file: Any) -> Attestation:
        signed.append(file.name)
        return Attestation(f"{file.name} {file.digest}")

    class Trust:
        force_tlog_version = 2

        @staticmethod
        def production() -> Trust:
            return Trust()

    monkeypatch.setattr(sigstore.models, "ClientTrustConfig", Trust)
    monkeypatch.setattr(sigstore.oidc, "IdentityToken", str)
    monkeypatch.setattr(sigstore.oidc, "detect_credential", lambda: "me")
    monkeypatch.setattr(sigstore.sign.SigningContext, "from_trust_config", lambda _trust: Context())
    monkeypatch.setattr(pypi_attestations.Attestation, "sign", sign)
    return signed


def said(repository: Repository, files: tuple[Distribution, ...]) -> list[str]:
    told: list[Event] = []
    make_attestations(repository, files, told.append)
    return [event.text for event in told if isinstance(event, Note)]


def test_what_has_no_attestation_is_signed_and_it_is_kept(files: tuple[Distribution, ...], signing: list[str]) -> None:
    attestation_of(files[0]).write_text("from before")
    assert said(PYPI, files) == []
    assert signing == [files[1].filename]
    assert attestation_of(files[0]).read_text() == "from before"
    assert attestation_of(files[1]).read_text() == f"{files[1].filename} {files[1].sha256}"
    assert said(PYPI, files) == []
    assert len(signing) == 1


def test_nothing_is_signed_for_others_nor_where_a_token_is_used(
    files: tuple[Distribution, ...], signing: list[str]
) -> None:
    mine = replace(PYPI, name="mine", upload_url="https://index.example/")
    assert said(mine, files) == ["no attestations are sent: mine is neither PyPI nor TestPyPI"]
    with_token = replace(PYPI, password="token")  # noqa: S106
    (text,) = said(with_token, files)
    assert text.endswith("the index accepts them with trusted publishing only, and a token is set")
    assert signing == []


def test_without_an_identity_it_is_said_so(
    files: tuple[Distribution, ...], signing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sigstore.oidc.detect_credential", lambda: None)
    (text,) = said(PYPI, files)
    assert text.startswith("no attestations are sent: no identity token of a CI service was found")
    assert signing == []


def test_all_are_signed_or_none(
    files: tuple[Distribution, ...], signing: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def sign(_signer: str, file: Any) -> Attestation:
        if signing:
            raise RuntimeError("the log is\nfull")
        signing.append(file.name)
        return Attestation("")

    monkeypatch.setattr("pypi_attestations.Attestation.sign", sign)
    assert said(PYPI, files) == ["no attestations are sent: signing failed: the log is"]
    assert not any(attestation_of(file).exists() for file in files)
