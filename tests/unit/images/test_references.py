"""Names of images, and of the same images on mirrors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crosswheel.errors import UsageError
from crosswheel.images.references import Reference, is_image_id, parse_reference

TOOLS = Path(__file__).parents[3] / "tools"

DIGEST = f"sha256:{'0123456789abcdef' * 4}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("quay.io/pypa/x:1", Reference("quay.io", "pypa/x", "1")),
        (f"quay.io/pypa/x@{DIGEST}", Reference("quay.io", "pypa/x", digest=DIGEST)),
        (f"quay.io/pypa/x:1@{DIGEST}", Reference("quay.io", "pypa/x", "1", DIGEST)),
        ("localhost/x:1", Reference("localhost", "x", "1")),
        ("registry:5000/x:1", Reference("registry:5000", "x", "1")),
        ("127.0.0.1:5000/a/b/c:latest", Reference("127.0.0.1:5000", "a/b/c", "latest")),
        ("[::1]:5000/x:1", Reference("[::1]:5000", "x", "1")),
        ("dockcross/manylinux_2_28-aarch64:1", Reference("docker.io", "dockcross/manylinux_2_28-aarch64", "1")),
        ("docker.io/dockcross/x:1", Reference("docker.io", "dockcross/x", "1")),
        ("python:3.13-slim", Reference("docker.io", "library/python", "3.13-slim")),
    ],
)
def test_a_reference_is_taken_apart(text: str, wanted: Reference) -> None:
    assert parse_reference(text) == wanted


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("docker.io/library/python:3.13", "python:3.13"),
        ("docker.io/dockcross/x:1", "dockcross/x:1"),
        (f"quay.io/pypa/x:1@{DIGEST}", f"quay.io/pypa/x@{DIGEST}"),
    ],
)
def test_it_is_written_as_engines_write_it(text: str, written: str) -> None:
    assert str(parse_reference(text)) == written


@pytest.mark.parametrize("text", ["quay.io/pypa/x", "python", "registry:5000/x"])
def test_a_name_alone_is_refused_for_latest_is_no_pin(text: str) -> None:
    with pytest.raises(UsageError, match=f"'{re.escape(text)}' has neither a tag nor a digest") as caught:
        parse_reference(text)
    assert caught.value.hint == f"{text}:TAG, or {text}@sha256:DIGEST"


@pytest.mark.parametrize(
    "text", ["", "Quay.io/UPPER:1", "x:", "x@sha256:12", "https://quay.io/x:1", "x:1 ", "a//b:1", "-x:1", "x:1\n"]
)
def test_what_is_no_image_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no image\n  try: write it as REPOSITORY:TAG or REPOSITORY@sha256:DIGEST"):
        parse_reference(text)


def test_an_image_id_is_told_from_a_reference() -> None:
    assert is_image_id(DIGEST)
    assert not is_image_id(f"x@{DIGEST}")
    assert not is_image_id("x:1")


@pytest.mark.parametrize(
    ("text", "mirror", "there"),
    [
        ("quay.io/pypa/x:1", "mirror.example", "mirror.example/pypa/x:1"),
        ("quay.io/pypa/x:1", "mirror.example:5000/quay/", "mirror.example:5000/quay/pypa/x:1"),
        (f"dockcross/x@{DIGEST}", "localhost:5000", f"localhost:5000/dockcross/x@{DIGEST}"),
        ("python:3.13", "mirror.example", "mirror.example/library/python:3.13"),
    ],
)
def test_a_mirror_replaces_the_registry(text: str, mirror: str, there: str) -> None:
    assert str(parse_reference(text).at(mirror)) == there


@pytest.mark.parametrize("mirror", ["https://mirror.example", "mirror", "", "mirror.example/Upper", "user/x"])
def test_what_is_no_mirror_is_refused(mirror: str) -> None:
    with pytest.raises(UsageError, match=f"mirrors: '{mirror}' is no registry"):
        parse_reference("quay.io/pypa/x:1").at(mirror)
