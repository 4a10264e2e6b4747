"""Why a registry did not deliver an image, in words that hold no secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from crosswheel.images.references import Reference
from crosswheel.system.budget import OverBudget

if TYPE_CHECKING:
    import requests

ANOTHER = "--image REPOSITORY:TAG, with an image that exists"
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS}
_LONGEST_ANSWER = 1 << 16
_LONGEST_REASON = 300


class NotDelivered(Exception):  # noqa: N818 - reads as what happened
    """A registry did not deliver the image, with the reason; `passing` if a retry may help.

    `silent`: nobody answered there at all.
    """

    silent = False

    def __init__(self, reason: str, hint: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.hint = hint
        self.passing = passing


class NoTls(NotDelivered):
    """The server does not talk TLS."""


def hint_for(address: str) -> str:
    """What to do about a registry at an address that fails for an unknown reason."""
    return f"curl -I {address}/v2/, to see whether it answers; or --mirrors HOST"


@contextmanager
def failures(who: str, hint: str) -> Iterator[None]:
    """Convert exceptions of requests and urllib3 to NotDelivered.

    Their texts are left out: they have whole addresses, and those of storage servers have signatures that let in.
    """
    import requests
    import urllib3.exceptions

    try:
        yield
    except requests.exceptions.SSLError as error:
        if "certificate" in str(error).lower():
            reason = f"the certificate of {who} is not trusted"
            raise NotDelivered(reason, "export REQUESTS_CA_BUNDLE=FILE, with its authority's certificate") from None
        raise NoTls(f"{who} does not talk TLS as expected", hint) from None
    except requests.exceptions.Timeout:
        raise NotDelivered(f"{who} did not answer in time", hint, passing=True) from None
    except (requests.RequestException, urllib3.exceptions.HTTPError, OverBudget) as error:
        raise NotDelivered(f"the connection to {who} failed: {_cause(error)}", hint, passing=True) from None


def _cause(error: BaseException) -> str:
    """The reason in the words of the system, or the kind of the exception."""
    from http.client import IncompleteRead

    from urllib3.exceptions import ResponseError

    seen, todo = [error], [error]
    while todo:
        one = todo.pop()
        if isinstance(one, OSError) and one.strerror:
            return one.strerror
        if isinstance(one, IncompleteRead):
            return "it broke off"
        if isinstance(one, ResponseError):  # as in: too many 502 error responses
            return str(one)
        inner = [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
        found = [each for each in inner if isinstance(each, BaseException) and each not in seen]
        seen += found
        todo += found
    return type(seen[-1]).__name__


def refusal(answer: requests.Response, reference: Reference, address: str) -> NotDelivered:
    """What an answer other than success means."""
    host, status = reference.host, answer.status_code
    if status == HTTPStatus.NOT_FOUND:
        what = "digest" if reference.digest else "tag"
        return NotDelivered(f"{host} has no such {what} in {reference.path}", ANOTHER)
    said = _reason(answer)
    if status in _REFUSED:
        return NotDelivered(f"{host} refuses: {said}", reference.login)
    passing = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return NotDelivered(f"{host} did not deliver it: {said}", hint_for(address), passing=passing)


def _reason(answer: requests.Response) -> str:
    """What the registry says, in a line: its own words are JSON with codes and messages."""
    from urllib3.exceptions import HTTPError

    status = f"HTTP {answer.status_code}"
    try:
        first = json.loads(answer.content if answer.raw.closed else answer.raw.read(_LONGEST_ANSWER))["errors"][0]
        said = f"{status} {first.get('code', '')}: {first.get('message', '')}"
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, HTTPError):
        return status
    return " ".join(said.split())[:_LONGEST_REASON]
