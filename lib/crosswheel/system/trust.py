"""Which servers are believed, and who we are to them: one answer for every request of a run, whoever sends it."""

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
    """Certificates: of the `authorities` that may sign a server's, a file or a folder; and our `own`, a file.

    Empty `authorities` leave it to each program.
    """

    authorities: str = ""
    own: str = ""

    def check(self) -> None:
        """Raises UsageError for a file that is not there; requests would end with an error of the disk's."""
        for path in filter(None, (self.authorities, self.own)):
            if not Path(path).exists():
                raise UsageError(
                    f"there are no certificates at {path}",
                    hint=f"ls -l {path}; it is named by TWINE_CERT, by ca_cert or client_cert in .pypirc, by cert or"
                    f" client-cert of pip, or by {', '.join(_VARIABLES)}",
                )

    @property
    def sending(self) -> dict[str, Any]:
        """For the `send` of an adapter of requests: it has the last word, after all variables."""
        return {"verify": self.authorities} if self.authorities else {}

    @property
    def pip_environ(self) -> dict[str, str]:
        # To pip, too, the second is worth more than the first.
        named = {"PIP_CERT": self.authorities, _REQUESTS: self.authorities, "PIP_CLIENT_CERT": self.own}
        return {name: path for name, path in named.items() if path}

    @contextmanager
    def for_all(self) -> Iterator[None]:
        """For what libraries ask by themselves, as twine does for trusted publishing: they read the environment."""
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
    """The first that is named; behind what is `said`, what all programs of this machine are told."""
    return next(filter(None, (*said, *(environ.get(name, "") for name in _VARIABLES))), "")
