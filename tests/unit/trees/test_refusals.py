"""What uv's messages mean."""

from __future__ import annotations

import pytest

from crosswheel.errors import CrosswheelError, TooManyRequests, WrongHash
from crosswheel.system.process import CommandFailed
from crosswheel.trees.refusals import refused


@pytest.mark.parametrize(
    ("said", "kind", "hint"),
    [
        (
            "error: Failed to fetch: http://127.0.0.1/p0/ cause: HTTP status client error (429 Too Many Requests)",
            TooManyRequests,
            "limits requests",
        ),
        (
            "error: Hash mismatch for package metadata at `http://127.0.0.1/files/p0-1.0-py3-none-any.whl.metadata`",
            WrongHash,
            "operator of the index",
        ),
    ],
)
def test_what_an_index_did_has_its_own_remedy(said: str, kind: type[CrosswheelError], hint: str) -> None:
    error = refused("p0", CommandFailed(["uv"], 2, said))
    assert type(error) is kind
    assert hint in error.hint
