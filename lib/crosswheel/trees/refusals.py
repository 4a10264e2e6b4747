"""What uv's messages mean: each kind of failure has an error of its own, and a next command."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crosswheel.errors import (
    Conflict,
    CrosswheelError,
    IndexUnreachable,
    NoCredentials,
    PythonTooOld,
    SourceError,
    TooManyRequests,
    UnknownPackage,
    UsageError,
    WrongHash,
)
from crosswheel.system.process import CommandFailed

_DRAWN = re.compile("[\u00d7\u2500-\u257f\u25b6]+")  # uv draws a tree
_LONGEST = 400  # characters of uv's reasoning
_UNBUILT = re.compile(r"Failed to (?:download and )?build (?:source distribution )?`([A-Za-z0-9._-]+)(?:==|`| @)")


@dataclass(frozen=True)
class _Kind:
    """Failures whose message has `words`."""

    words: re.Pattern[str]
    error: type[CrosswheelError]
    hint: str


_KINDS = (
    _Kind(
        re.compile(r"lack of valid authentication|\b40[13] (?:Unauthorized|Forbidden)"),
        NoCredentials,
        "export PIP_INDEX_URL=https://USER:PASSWORD@HOST/...; or a line for the host in ~/.netrc",
    ),
    _Kind(
        re.compile(r"\b429 Too Many Requests"),
        TooManyRequests,
        "the same command again, some minutes later: the index limits requests, and what it has answered is kept",
    ),
    _Kind(
        re.compile(r"Hash mismatch"),
        WrongHash,
        "ask the operator of the index or the proxy: a file has other bytes than the index says",
    ),
    _Kind(re.compile(r"network was disabled"), IndexUnreachable, "run the same command once without --offline"),
    _Kind(
        re.compile(r"operation timed out|request timed out|due to network timeout", re.IGNORECASE),
        IndexUnreachable,
        "export UV_HTTP_TIMEOUT=300, seconds to wait for each answer, and the same command again; pip config list, to "
        "check the index",
    ),
    _Kind(
        re.compile(r"error sending request|dns error|Failed to fetch|Connection refused|timed out"),
        IndexUnreachable,
        "pip config list, to check the index",
    ),
    _Kind(
        re.compile(r"Couldn't parse|failed to decode|valid UTF-8|Failed to parse|Unsupported requirement"),
        UsageError,
        "crosswheel readiness requirements.txt; or a project folder, a lock file, a name",
    ),
    _Kind(
        re.compile(r"Requested extra not found|dependency group '[^']*' was not found"),
        UsageError,
        "an extra or a group that this pyproject.toml has",
    ),
    _Kind(
        re.compile(
            r"not found in the package registry|no versions? of"
            r"|Because only \S+ (?:is|are) available and you require \S+ we"
        ),
        UnknownPackage,
        "check the spelling; pip index versions NAME shows what the index has",
    ),
    _Kind(
        re.compile(r"requires Python|current Python version"),
        PythonTooOld,
        "--python with a newer one, such as cp314; or an older version of the package",
    ),
    _Kind(re.compile(r"incompatible|conflict|unsatisfiable"), Conflict, "loosen one of the requirements uv names"),
)


def refused(named: str, error: CommandFailed) -> CrosswheelError:
    """The error to raise for a tree that uv did not resolve."""
    message = f"{named} could not be resolved: {reason_of(error)}"
    for kind in _KINDS:
        if kind.words.search(error.output):
            return kind.error(message, hint=kind.hint)
    return SourceError(message, hint="correct the requirement that uv names")


def unbuilt_in(error: CommandFailed) -> str:
    """The name of a package whose metadata uv could not build; empty for other failures."""
    found = _UNBUILT.search(" ".join(error.output.split()))
    return found[1] if found else ""


def reason_of(error: CommandFailed) -> str:
    """The beginning of uv's message, without its drawing and hints."""
    text = " ".join(_DRAWN.sub(" ", error.output.partition("hint:")[0]).split()).removeprefix("error: ")
    return (text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ...") or error.message
