"""TLS certificates: the same authorities and client certificate for every request of a run, by any library."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.errors import UsageError

_REQUESTS = "REQUESTS_CA_BUNDLE"
_VARIABLES = (_REQUESTS, "CURL_CA_BUNDLE", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Trust:
    """Certificates: `authorities` that may sign a server's (file or folder), and our `own` client certificate (file).

    Empty `authorities` mean each program's default.
    """

    authorities: str = ""
    own: str = ""

    def check(self) -> None:
        """Raise UsageError for a missing file, for which requests would raise an OSError."""
        for path in filter(None, (self.authorities, self.own)):
            if not Path(path).exists():
                raise UsageError(
                    f"there are no certificates at {path}",
                    hint=f"ls -l {path}; it is named by TWINE_CERT, by ca_cert or client_cert in .pypirc, by cert or"
                    f" client-cert of pip, or by {', '.join(_VARIABLES)}",
                )

    @property
    def sending(self) -> dict[str, Any]:
        """The arguments for `send` of an adapter of requests, which override all environment variables."""
        return {"verify": self.authorities} if self.authorities else {}

    @property
    def pip_environ(self) -> dict[str, str]:
        # In pip, too, the second overrides the first.
        named = {"PIP_CERT": self.authorities, _REQUESTS: self.authorities, "PIP_CLIENT_CERT": self.own}
        return {name: path for name, path in named.items() if path}

    @contextmanager
    def for_all(self) -> Iterator[None]:
        """Set environment variables for requests that libraries send themselves, like twine for trusted publishing."""
        before = os.environ.get(_REQUESTS)
        if not self.authorities:
            yield
            return
        os.environ[_REQUESTS] = self.authorities
        try:
            yield
        finally:
            if before is None:
                del os.environ[_REQUESTS]
            else:
                os.environ[_REQUESTS] = before


def named_authorities(said: Iterable[str], environ: Mapping[str, str]) -> str:
    """The first named authorities: of `said`, then of the variables for all programs."""
    return next(filter(None, (*said, *(environ.get(name, "") for name in _VARIABLES))), "")
