"""Attestations of who published a file (PEP 740): FILE.publish.attestation beside it, sent where there is one."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.errors import CheckFailed
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import Listener, Note
from crosswheel.release.repositories import Repository
from crosswheel.system.addresses import redact

if TYPE_CHECKING:
    from twine.package import PackageFile


def attestation_of(distribution: Distribution) -> Path:
    """Where it lies, if there is one."""
    return distribution.path.with_name(f"{distribution.filename}.publish.attestation")


def make_attestations(repository: Repository, distributions: Sequence[Distribution], listener: Listener) -> None:
    """Sign what has none yet, all of it or nothing; where that cannot be, say in a line why."""
    lacking = [distribution for distribution in distributions if not attestation_of(distribution).exists()]
    if lacking and (reason := _obstacle(repository) or _make(lacking)):
        which = "no attestations are sent" if len(lacking) == len(distributions) else "not all files are attested"
        listener(Note(f"{which}: {reason}"))


def add_attestation(distribution: Distribution, package: PackageFile) -> None:
    """Send it along with the file. Raises CheckFailed where it cannot be read."""
    from twine.exceptions import TwineException

    path = attestation_of(distribution)
    if not path.exists():
        return
    try:
        package.add_attestations([str(path)])
    except (TwineException, ValueError) as error:
        raise CheckFailed(f"{path} is no attestation: {error}", hint=f"rm {path}") from error


def _obstacle(repository: Repository) -> str:
    if not repository.is_pypi:
        # A signature stands in a public log for ever, with the name of the file.
        return f"{repository.name} is neither PyPI nor TestPyPI"
    if repository.password:
        return "the index takes them with trusted publishing only, and there is a token"
    if not find_spec("pypi_attestations"):
        return "pip install 'crosswheel[attestations]' is what makes them"
    return ""


def _make(distributions: Sequence[Distribution]) -> str:
    """Why there is nothing signed; or empty, and every file has its attestation."""
    import pypi_attestations
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken, detect_credential
    from sigstore.sign import SigningContext

    try:
        if not (credential := detect_credential()):
            return "nobody here says who we are (no identity token of a CI service)"
        trust = ClientTrustConfig.production()
        trust.force_tlog_version = 1  # as pypi-attestations itself does: what it verifies is of that version
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
