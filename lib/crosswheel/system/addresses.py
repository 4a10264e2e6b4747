"""Addresses with user names and passwords: parsed for use, and shown without them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from crosswheel.errors import UsageError

_ESCAPES = "write %2F for / in a password, %23 for #, %3F for ?, %5B for [, %40 for @, %20 for a space"


@dataclass(frozen=True)
class Address:
    """An address without credentials, and the credentials; empty texts if there are none."""

    bare: str
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def origin(self) -> tuple[str, str | None, int | None]:
        """Scheme, host and port: the only server that may receive the password."""
        return origin_of(self.bare)

    @property
    def whole(self) -> str:
        """The address with credentials, quoted for all programs; for environments, never for messages."""
        if not (self.username or self.password):
            return self.bare
        parts = urlsplit(self.bare)
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return urlunsplit(parts._replace(netloc=f"{quote(self.username, safe='')}{password}@{parts.netloc}"))


def parse_address(text: str, named: str) -> Address:
    """Parse an address. Raises UsageError, which names the origin of the address (`named`) and never shows it.

    An unquoted / in a password ends the host for every program: the rest of the password would be sent to servers and
    shown in messages as a path.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # urllib raises for an invalid port here
    except ValueError:
        raise UsageError(f"{named} is not an address: its host or its port is invalid", hint=_ESCAPES) from None
    if "@" in parts.path + parts.query + parts.fragment:
        raise UsageError(f"{named} has an @ after its host: perhaps a password is not quoted", hint=_ESCAPES)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Address(bare, unquote(parts.username or ""), unquote(parts.password or ""))


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def is_remote(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def without_users(text: str) -> str:
    """One or several valid addresses, without user names and passwords."""
    return re.sub(r"(?<=://)[^/?#]*@", "", text)


def redact(text: str) -> str:
    """A message without user names and passwords in its addresses, even in malformed ones.

    Everything between // and the last @ of the line may belong to a password, because a / in it looks like the end of
    the host. Only a space or another address ends it.
    """
    return re.sub(r"(?<=//)(?:(?!\s\S*://).)*@", "***@", text)
