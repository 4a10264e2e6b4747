"""Certificates for a scheduler, its workers and its users (X.509, RFC 5280): only who has one may send work.

One authority signs all of them. dask compares no host names, so a worker's certificate serves all workers.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel.errors import MissingTool, UsageError
from crosswheel.fleet.addresses import CA, NAMES, certificate, key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder

DAYS = 365
_CLOCKS = dt.timedelta(hours=1)  # that machines' clocks may differ


def make_certificates(folder: Path) -> tuple[Path, ...]:
    """Write the authority and the certificates with their keys into a folder; return the files.

    Files are for their owner only. Raises UsageError if one of them is there, MissingTool without `cryptography`.
    """
    files = [make(folder, name) for name in (CA, *NAMES) for make in (certificate, key)]
    if there := [path for path in files if path.exists()]:
        raise UsageError(
            f"{there[0]} exists: workers that have it would refuse new certificates",
            hint=f"rm {folder}/*.pem, to replace all of them; or --certificates FOLDER",
        )
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for path, content in _contents(folder):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
            file.write(content)
    return tuple(files)


def _contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    try:
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError as error:
        raise MissingTool(
            "certificates need the package cryptography", hint='pip install "crosswheel[distributed]"'
        ) from error
    authority = ec.generate_private_key(ec.SECP256R1())
    root = _signed(_builder(CA, CA, authority, is_authority=True), authority)
    yield certificate(folder, CA), _pem(root)
    yield key(folder, CA), _key_pem(authority)
    for name in NAMES:
        own = ec.generate_private_key(ec.SECP256R1())
        yield certificate(folder, name), _pem(_signed(_builder(name, CA, own, is_authority=False), authority))
        yield key(folder, name), _key_pem(own)


def _builder(name: str, issuer: str, own: EllipticCurvePrivateKey, *, is_authority: bool) -> CertificateBuilder:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"crosswheel {text}")])

    now = dt.datetime.now(dt.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(now + dt.timedelta(days=DAYS))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )


def _signed(builder: CertificateBuilder, authority: EllipticCurvePrivateKey) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key())
    return builder.add_extension(issuer, critical=False).sign(authority, hashes.SHA256())


def _pem(made: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return made.public_bytes(Encoding.PEM)


def _key_pem(own: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
