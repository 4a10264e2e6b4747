"""Addresses that have a user's name and password in them: taken apart for use, and shown without them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from crosswheel.errors import UsageError

_ESCAPES = "write %2F for / in a password, %23 for #, %3F for ?, %5B for [, %40 for @, %20 for a space"


@dataclass(frozen=True)
class Address:
    """An address without its user, and the user; empty texts where there is none."""

    bare: str
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def origin(self) -> tuple[str, str | None, int | None]:
        """Scheme, host and port: who may be told a password."""
        return origin_of(self.bare)

    @property
    def whole(self) -> str:
        """With its user, in a way that every program reads alike. It is for environments, and for no message."""
        if not (self.username or self.password):
            return self.bare
        parts = urlsplit(self.bare)
        password = f":{quote(self.password, safe='')}" if self.password else ""
        return urlunsplit(parts._replace(netloc=f"{quote(self.username, safe='')}{password}@{parts.netloc}"))


def parse_address(text: str, named: str) -> Address:
    """Raises UsageError, which calls the address by what `named` it and never shows it.

    A password with a bare / ends the host for every program that reads the address: what is behind it would go to
    servers and into messages as a path.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port  # where urllib finds that it is no number
    except ValueError:
        raise UsageError(f"{named} is no address: its host or its port cannot be read", hint=_ESCAPES) from None
    if "@" in parts.path + parts.query + parts.fragment:
        raise UsageError(f"{named} has an @ behind its host, so a password in it may be cut in two", hint=_ESCAPES)
    bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    return Address(bare, unquote(parts.username or ""), unquote(parts.password or ""))


def origin_of(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def is_remote(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def without_users(text: str) -> str:
    """One address or several, which parse, without names and passwords."""
    return re.sub(r"(?<=://)[^/?#]*@", "", text)


def redact(text: str) -> str:
    """A message without names and passwords in its addresses, however they are written.

    Whatever is between // and the last @ of the line may be a password's: nobody can tell a / in it from the end of the
    host. Only a space and another address end it.
    """
    return re.sub(r"(?<=//)(?:(?!\s\S*://).)*@", "***@", text)
