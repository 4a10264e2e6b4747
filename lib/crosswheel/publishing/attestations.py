"""Publish attestations (PEP 740): FILE.publish.attestation beside a file is uploaded with it."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Note
from crosswheel.publishing.repositories import Repository
from crosswheel.system.addresses import redact


def attestation_of(distribution: Distribution) -> Path:
    """The path of the file's attestation, which need not exist."""
    return distribution.path.with_name(f"{distribution.filename}.publish.attestation")


def make_attestations(repository: Repository, distributions: Sequence[Distribution], listener: Listener) -> None:
    """Sign the files without attestation, all or none; otherwise report the reason in one line."""
    lacking = [distribution for distribution in distributions if not attestation_of(distribution).exists()]
    if lacking and (reason := _obstacle(repository) or _make(lacking)):
        which = "no attestations are sent" if len(lacking) == len(distributions) else "not all files are attested"
        listener(Note(f"{which}: {reason}"))


def _obstacle(repository: Repository) -> str:
    if not repository.is_pypi:
        # A signature stays in a public log for ever, with the file's name.
        return f"{repository.name} is neither PyPI nor TestPyPI"
    if repository.password:
        return "the index accepts them with trusted publishing only, and a token is set"
    if not find_spec("pypi_attestations"):
        return "the extra is not installed: pip install 'crosswheel[attestations]'"
    return ""


def _make(distributions: Sequence[Distribution]) -> str:
    """The reason why nothing was signed; empty if every file now has its attestation."""
    import pypi_attestations
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken, detect_credential
    from sigstore.sign import SigningContext

    try:
        if not (credential := detect_credential()):
            return "no identity token of a CI service was found"
        trust = ClientTrustConfig.production()
        trust.force_tlog_version = 1  # pypi-attestations itself checks this version
        signed = {}
        with SigningContext.from_trust_config(trust).signer(IdentityToken(credential), cache=True) as signer:
            for distribution in distributions:
                file = pypi_attestations.Distribution(name=distribution.filename, digest=distribution.sha256)
                signed[attestation_of(distribution)] = pypi_attestations.Attestation.sign(signer, file)
    except Exception as error:  # noqa: BLE001 - the classes of sigstore's errors are many, and most of them private
        return f"signing failed: {redact(str(error) or type(error).__name__).splitlines()[0]}"
    for path, attestation in signed.items():
        path.write_text(attestation.model_dump_json(), "utf-8")
    return ""
