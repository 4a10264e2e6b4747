"""Answers a registry that asks for a login: HTTP Basic, or a token of the server that it names.

RFC 9110, and "Token Authentication" of the CNCF's distribution.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from crosswheel.errors import NoCredentials
from crosswheel.images.credentials import Credentials, credentials_for
from crosswheel.images.failures import NotDelivered, failures, hint_for, refusal
from crosswheel.images.plain_http import is_safe
from crosswheel.images.references import Reference

if TYPE_CHECKING:
    import requests

TIMEOUT = (15.0, 60.0)  # seconds to connect, and to wait for data
_SCOPE = "repository:{}:pull"
_CHALLENGE = re.compile(r"\s*(bearer|basic)\b\s*(.*)", re.IGNORECASE | re.DOTALL)
_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


@dataclass(frozen=True)
class Authorization:
    """The header of a request; empty for none.

    requests sets it through this, for otherwise it would take a login from ~/.netrc, and send that.
    """

    text: str = field(default="", repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.text:
            request.headers["Authorization"] = self.text
        return request


NOTHING = Authorization()


def authorize(
    challenge: str, reference: Reference, address: str, session: requests.Session, environ: Mapping[str, str]
) -> Authorization:
    """What to send after a challenge (the header WWW-Authenticate) of the registry at `address`.

    Raises NotDelivered.
    """
    from requests.auth import _basic_auth_str

    match = _CHALLENGE.match(challenge)
    if not match:
        raise NotDelivered(f"{reference.host} asks for a login of an unknown kind", reference.login)
    try:
        credentials = credentials_for(reference, environ)
    except NoCredentials as error:
        raise NotDelivered(error.message, error.hint) from error
    if match[1].lower() == "bearer":
        return Authorization(f"Bearer {_token(parameters(match[2]), credentials, reference, address, session)}")
    if not credentials:
        raise NotDelivered(f"{reference.host} asks for a login", reference.login)
    return Authorization(_basic_auth_str(credentials.username.encode(), credentials.password.encode()))


def _token(
    asked: Mapping[str, str],
    credentials: Credentials | None,
    reference: Reference,
    address: str,
    session: requests.Session,
) -> str:
    """An access token to pull from the repository; without a login, one for everybody."""
    realm = asked.get("realm", "")
    if not is_safe(realm):
        raise NotDelivered(f"{reference.host} names a token server without TLS", hint_for(address))
    about = {"service": asked.get("service", ""), "scope": asked.get("scope", _SCOPE.format(reference.path))}
    with failures(f"the token server of {reference.host}", hint_for(address)):
        answer = session.request(url=realm, **_request(about, credentials), allow_redirects=False, timeout=TIMEOUT)
    try:
        found = answer.json() if answer.status_code == HTTPStatus.OK else {}
        token = found.get("access_token") or found.get("token") or ""
    except (ValueError, AttributeError):
        token = ""
    if not token or not isinstance(token, str):
        raise refusal(answer, reference, address)
    return token


def _request(about: Mapping[str, str], credentials: Credentials | None) -> dict[str, Any]:
    """How `requests` asks for a token: Docker's token specification, with OAuth 2 for an identity token."""
    if credentials and credentials.identity_token:
        form = {"grant_type": "refresh_token", "client_id": "crosswheel", "refresh_token": credentials.identity_token}
        return {"method": "POST", "data": {**about, **form}, "auth": NOTHING}
    user = (credentials.username.encode(), credentials.password.encode()) if credentials else None
    return {"method": "GET", "params": about, "auth": user or NOTHING}


def parameters(text: str) -> dict[str, str]:
    """The parameters of a challenge; values may have commas."""
    return {match[1].lower(): match[2] or match[3] or "" for match in _PARAMETER.finditer(text)}
