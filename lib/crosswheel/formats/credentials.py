"""Finds credentials in a file: by its name and content, and tokens whose form is known.

Placeholders in examples and keys of test servers are no credentials. What is found is described and never shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

LARGEST = 1 << 16
"""Bytes of a file that is read; files with credentials are small."""


class _Form(NamedTuple):
    """`where` is the path of the file or the beginning of the token; the group of `secret` is the secret itself."""

    where: re.Pattern[str] | bytes
    secret: re.Pattern[bytes]
    what: str


_FILES = tuple(
    _Form(re.compile(rf"(?:.*/)?{name}"), re.compile(secret, re.MULTILINE), what)
    for name, secret, what in (
        (r"\.pypirc", rb"^\s*password\s*[:=]\s*(\S+)", "a password for a package index"),
        (r"[._]netrc", rb"\bpassword\s+(\S+)", "a password"),
        (r"\.git-credentials", rb"://[^/\s:]*:([^@\s]+)@", "a password for a Git server"),
        (r"\.npmrc", rb"_(?:authToken|auth|password)\s*=\s*(\S+)", "a token of npm"),
        (r"\.aws/credentials", rb"aws_secret_access_key\s*=\s*(\S+)", "a key of AWS"),
        (r"\.docker/config\.json", rb'"auth"\s*:\s*"([^"]+)"', "a password for a registry"),
        (r"id_(?:rsa|dsa|ecdsa|ed25519)", rb"^-----BEGIN [A-Z ]*PRIVATE KEY-----\s+([\w+/=]{40,})", "a private key"),
        (
            r"\.env(?:\.(?:local|dev|development|staging|prod|production))?",
            rb"""(?i)^(?:export )?\w*(?:token|secret|passw(?:or)?d|api_?key|access_key)\w*\s*=\s*["']?([^\s"']+)""",
            "a password or token",
        ),
    )
)
_TOKENS = tuple(
    _Form(beginning, re.compile(secret), what)
    for beginning, secret, what in (
        (b"pypi-AgE", rb"\b(pypi-AgE[\w-]{60,})", "a token of PyPI"),
        (b"ghp_", rb"\b(ghp_[A-Za-z0-9]{36})\b", "a token of GitHub"),
        (b"github_pat_", rb"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b", "a token of GitHub"),
        (b"glpat-", rb"\b(glpat-[\w-]{20,})", "a token of GitLab"),
    )
)
_TEXTS = (*(".py", ".pyi", ".ipynb", ".sh"), *(".cfg", ".conf", ".env", ".ini", ".json", ".toml", ".yaml", ".yml"))
_PLACEHOLDER = re.compile(rb"(?i)[$<{%*]|\.\.\.|xxx|your|example|placeholder|change_?me|dummy|fake|test")
_FEWEST = 6  # different characters of a secret


def credentials_in(path: str, data: bytes) -> str:
    """The first credentials in a file, such as ``a token of PyPI in line 3``; empty if there are none."""
    return next(_found(path, data), "")


def _found(path: str, data: bytes) -> Iterator[str]:
    for form in _forms(path, data):
        for match in form.secret.finditer(data):
            if len(set(match[1])) >= _FEWEST and not _PLACEHOLDER.search(match[1]):
                line = data.count(b"\n", 0, match.start(1)) + 1
                yield f"{form.what} in line {line}"


def _forms(path: str, data: bytes) -> Iterator[_Form]:
    file = path.rpartition("/")[2]
    if file.startswith((".", "_netrc", "id_")) or file in {"credentials", "config.json"}:
        yield from (form for form in _FILES if isinstance(form.where, re.Pattern) and form.where.fullmatch(path))
    # A search for bytes is many times as fast as one for a pattern.
    if file.startswith(".") or file.endswith(_TEXTS):
        yield from (form for form in _TOKENS if isinstance(form.where, bytes) and form.where in data)
