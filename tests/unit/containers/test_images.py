"""Images on engines: what engines say of them, and what registries answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crosswheel.containers.creation import architecture_of
from crosswheel.containers.images import _digest, _explained, _follow, _PullFailed
from crosswheel.errors import DiskFull
from crosswheel.images.references import parse_reference
from crosswheel.model.job import Chore, Event, Transfer

TOOLS = Path(__file__).parents[3] / "tools"

DIGEST = f"sha256:{'0123456789abcdef' * 4}"
OTHER = f"sha256:{'fedcba9876543210' * 4}"


@pytest.mark.parametrize(
    ("machine", "variant", "arch"),
    [
        ("arm64", "v8", "aarch64"),
        ("arm64", "", "aarch64"),
        ("arm", "v7", "armv7l"),
        ("arm", "", "armv7l"),
        ("arm", "v6", None),
        ("amd64", "", "x86_64"),
        ("386", "", "i686"),
        ("ppc64le", "", "ppc64le"),
        ("s390x", "", "s390x"),
        ("riscv64", "", "riscv64"),
        ("mips64le", "", None),
    ],
)
def test_the_architecture_of_an_image_is_recognised(machine: str, variant: str, arch: str | None) -> None:
    attributes = {"Os": "linux", "Architecture": machine, **({"Variant": variant} if variant else {})}
    found = architecture_of(attributes)
    assert (found.name if found else None) == arch


def test_images_of_other_systems_are_of_noarchitecture_of() -> None:
    assert architecture_of({"Os": "windows", "Architecture": "amd64"}) is None


def test_the_digest_is_what_was_asked_for_else_that_of_the_place() -> None:
    digests = [("quay.io/pypa/x", DIGEST), ("mirror.example/pypa/x", OTHER)]
    assert _digest(digests, parse_reference(f"dockcross/x@{OTHER}")) == OTHER
    assert _digest(digests, parse_reference("mirror.example/pypa/x:1")) == OTHER
    assert _digest(digests, parse_reference("elsewhere.example/x:1")) == DIGEST
    assert _digest(digests, None) == DIGEST
    assert _digest([], None) == ""


def test_progress_is_the_sum_of_the_layers_and_has_no_total_before_all_are_known() -> None:
    told: list[Event] = []
    mib = 1024 * 1024
    items: list[dict[str, Any]] = [
        {"status": "Pulling from pypa/x", "id": "1"},
        {"status": "Already exists", "id": "old"},
        {"status": "Pulling fs layer", "id": "a"},
        {"status": "Pulling fs layer", "id": "b"},
        {"status": "Downloading", "id": "a", "progressDetail": {"current": 3 * mib, "total": 4 * mib}},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 1, "total": 8 * mib}},
        {"status": "Download complete", "id": "a"},
        {"status": "Downloading", "id": "b", "progressDetail": {"current": 6 * mib, "total": 8 * mib}},
        {"status": "Download complete", "id": "b"},
        {"status": "Extracting", "id": "b", "progressDetail": {"current": 1, "total": 8 * mib}},
        {"status": "Pull complete", "id": "b"},
    ]
    _follow(iter(items), "x:1", told.append)
    *transfers, unpacking, unpacked = told
    assert transfers == [
        Transfer("x:1", 3 * mib, None),
        Transfer("x:1", 10 * mib, 12 * mib),
        Transfer("x:1", 12 * mib, 12 * mib),
    ]
    assert unpacking == Chore("unpacking x:1")
    assert isinstance(unpacked, Chore)
    assert unpacked.seconds is not None


def test_nothing_is_told_of_an_image_that_is_there_already() -> None:
    told: list[Event] = []
    _follow(iter([{"status": "Pulling from x"}, {"status": "Already exists", "id": "a"}]), "x:1", told.append)
    assert told == []


@pytest.mark.parametrize(
    ("text", "reason", "hint", "passing"),
    [
        (
            "unauthorized: access to the requested resource is not authorized",
            "quay.io refuses: unauthorized: access to the requested resource is not authorized",
            "docker login quay.io",
            False,
        ),
        (
            "pull access denied for x, repository does not exist or needs a login: not found",
            "quay.io refuses: pull access denied for x, repository does not exist or needs a login: not found",
            "docker login quay.io",
            False,
        ),
        (
            "toomanyrequests: You have reached your pull rate limit.",
            "quay.io refuses: toomanyrequests: You have reached your pull rate limit.",
            "docker login quay.io",
            False,
        ),
        (
            "manifest for quay.io/pypa/x:1 not found: manifest unknown: manifest unknown",
            "quay.io has no such tag in pypa/x",
            "--image REPOSITORY:TAG, with an image that exists",
            False,
        ),
        (
            "no matching manifest for linux/s390x in the manifest list entries",
            "quay.io has no image for that architecture",
            "--image REPOSITORY:TAG, with an image that exists",
            False,
        ),
        (
            "x509: certificate signed by unknown authority",
            "the engine does not trust quay.io: x509: certificate signed by unknown authority",
            "docker pull quay.io/pypa/x:1",
            False,
        ),
        (
            "received unexpected HTTP status: 503 Service Unavailable",
            "quay.io did not deliver it: received unexpected HTTP status: 503 Service Unavailable",
            "docker pull quay.io/pypa/x:1, or --mirrors HOST",
            True,
        ),
        (
            "net/http: TLS handshake timeout",
            "quay.io did not deliver it: net/http: TLS handshake timeout",
            "docker pull quay.io/pypa/x:1, or --mirrors HOST",
            True,
        ),
    ],
)
def test_what_a_registry_says_is_explained_and_tried_again_only_where_that_helps(
    text: str, reason: str, hint: str, *, passing: bool
) -> None:
    failure = _explained(Exception(text), "unix:///nowhere", parse_reference("quay.io/pypa/x:1"))
    assert isinstance(failure, _PullFailed)
    assert (str(failure), failure.hint, failure.passing) == (reason, hint, passing)


def test_docker_hub_is_logged_in_to_without_its_name() -> None:
    failure = _explained(Exception("denied"), "unix:///nowhere", parse_reference("dockcross/x:1"))
    assert isinstance(failure, _PullFailed)
    assert failure.hint == "docker login"


def test_a_full_disk_at_the_engine_is_an_error_of_its_own() -> None:
    failure = _explained(Exception("write /x: no space left on device"), "unix:///nowhere", parse_reference("x:1"))
    assert isinstance(failure, DiskFull)
    assert failure.message == "no space left for x:1 on the Docker host unix:///nowhere"
    assert failure.hint == "docker system df; docker image prune"
