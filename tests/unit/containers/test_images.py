"""Images without an engine: their names, the pins, what engines say, and where the pins come from."""

from __future__ import annotations

import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from crosswheel.containers.creation import architecture_of
from crosswheel.containers.images import (
    Family,
    ImagePin,
    _digest,
    _explained,
    _follow,
    _PullFailed,
    pinned_image,
    pinned_images,
)
from crosswheel.containers.references import Reference, is_image_id, parse_reference
from crosswheel.errors import CrosswheelError, DiskFull, ImageUnavailable, UsageError
from crosswheel.model.job import Chore, Event, Transfer
from crosswheel.model.targets import architectures, parse_target
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from index_server import IndexServer, index_server

TOOLS = Path(__file__).parents[3] / "tools"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
OTHER = f"sha256:{'fedcba9876543210' * 4}"


# ---- names ----------------------------------------------------------------------------------------------------


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


# ---- pins -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("target", "repository"),
    [
        ("cp313-manylinux2014_aarch64", "quay.io/pypa/manylinux2014_aarch64"),
        ("cp313-manylinux_2_17_x86_64", "quay.io/pypa/manylinux2014_x86_64"),
        ("cp313-manylinux_2_27_aarch64", "quay.io/pypa/manylinux2014_aarch64"),
        ("cp313-manylinux_2_30_aarch64", "quay.io/pypa/manylinux_2_28_aarch64"),
        ("cp313-manylinux_2_41_s390x", "quay.io/pypa/manylinux_2_34_s390x"),
        ("cp313-manylinux_2_31_armv7l", "quay.io/pypa/manylinux_2_31_armv7l"),
        ("cp313-manylinux_2_39_riscv64", "quay.io/pypa/manylinux_2_39_riscv64"),
        ("cp313-musllinux_1_2_i686", "quay.io/pypa/musllinux_1_2_i686"),
    ],
)
def test_the_newest_image_that_promises_no_more_is_taken(target: str, repository: str) -> None:
    pin = pinned_image(parse_target(target))
    assert pin.repository == repository
    assert pin.reference == f"{repository}@{pin.digest}"


def test_dockcross_has_a_tag_and_no_digest() -> None:
    pin = pinned_image(parse_target("cp313-manylinux_2_34_aarch64"), "dockcross")
    assert pin.reference == "dockcross/manylinux_2_28-aarch64:latest"


@pytest.mark.parametrize(
    ("target", "family", "message", "hint"),
    [
        (
            "cp313-manylinux_2_31_riscv64",
            "pypa",
            "no image of pypa is pinned for manylinux_2_31 on riscv64; there are manylinux_2_39, musllinux_1_2",
            "--policy manylinux_2_39, or --image REPOSITORY:TAG",
        ),
        (
            "cp313-musllinux_1_2_aarch64",
            "dockcross",
            "no image of dockcross is pinned for musllinux_1_2 on aarch64; there are manylinux2014, manylinux_2_28",
            "--image REPOSITORY:TAG",
        ),
        (
            "cp313-manylinux2014_s390x",
            "dockcross",
            "no image of dockcross is pinned for manylinux2014 on s390x; there is none for s390x",
            "--image REPOSITORY:TAG",
        ),
    ],
)
def test_where_none_fits_it_says_which_there_are(target: str, family: Family, message: str, hint: str) -> None:
    with pytest.raises(ImageUnavailable) as caught:
        pinned_image(parse_target(target), family)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_every_pin_is_a_reference_and_every_architecture_has_one() -> None:
    for (policy, arch), pin in pinned_images("pypa").items():
        assert parse_reference(pin.reference).digest == pin.digest
        assert pin.repository == f"quay.io/pypa/{policy}_{arch}"
        assert pin.tag
    assert {arch for _, arch in pinned_images("pypa")} == set(architectures().values())
    for pin in pinned_images("dockcross").values():
        assert str(parse_reference(pin.reference)) == pin.reference


# ---- what engines say -----------------------------------------------------------------------------------------


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


# ---- where the pins come from ---------------------------------------------------------------------------------

PINS = f"""
[x86_64]
manylinux_2_28 = quay.io/pypa/manylinux_2_28_x86_64@{DIGEST}  # 2026.01.02-1

[aarch64]
musllinux_1_2 = quay.io/pypa/musllinux_1_2_aarch64:2026.01.02-3@{OTHER}
manylinux2014 = quay.io/pypa/manylinux2014_aarch64@{DIGEST}  # 2026.01.02-1

[pypy_aarch64]
manylinux2014 = quay.io/pypa/manylinux2014_aarch64@{OTHER}
"""
LOCK = f"""
# As pinned by cibuildwheel 4.10.0.
[pypa.manylinux2014_aarch64]
repository = "quay.io/pypa/manylinux2014_aarch64"
tag = "2026.01.02-1"
digest = "{DIGEST}"

[pypa.musllinux_1_2_aarch64]
repository = "quay.io/pypa/musllinux_1_2_aarch64"
tag = "2026.01.02-3"
digest = "{OTHER}"

[pypa.manylinux_2_28_x86_64]
repository = "quay.io/pypa/manylinux_2_28_x86_64"
tag = "2026.01.02-1"
digest = "{DIGEST}"
"""


@pytest.fixture
def refresh() -> ModuleType:
    spec = importlib.util.spec_from_file_location("refresh_images", TOOLS / "refresh_images.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as running:
        yield running


def wheel_of(member: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(member, text)
    return content.getvalue()


def test_the_newest_release_becomes_the_lock_file(refresh: ModuleType, server: IndexServer, tmp_path: Path) -> None:
    wheel = wheel_of(refresh._MEMBER, PINS)
    server.files["cibuildwheel"] = {
        "cibuildwheel-4.9.0-py3-none-any.whl": b"old",
        "cibuildwheel-4.10.0-py3-none-any.whl": wheel,
        "cibuildwheel-4.10.0.tar.gz": b"no wheel",
        "cibuildwheel-4.10.1-py3-none-any.whl": b"yanked",
        "cibuildwheel-5.0.0rc1-py3-none-any.whl": b"no final release",
    }
    server.yanked = {"cibuildwheel-4.10.1-py3-none-any.whl"}
    release, path = refresh.newest_wheel(Index(PipSettings(index_url=server.url), tmp_path))
    text = refresh.lock_text(release, refresh.pins_of(path), {})
    assert LOCK in text
    assert text == refresh.lock_text(release, dict(reversed(refresh.pins_of(path).items())), {})


def test_an_index_without_it_is_told(refresh: ModuleType, server: IndexServer, tmp_path: Path) -> None:
    server.files["cibuildwheel"] = {}
    with pytest.raises(CrosswheelError, match="the index has no wheel of cibuildwheel"):
        refresh.newest_wheel(Index(PipSettings(index_url=server.url), tmp_path))


def test_a_wheel_without_the_list_is_told(refresh: ModuleType, tmp_path: Path) -> None:
    wheel = tmp_path / "cibuildwheel-9.0-py3-none-any.whl"
    wheel.write_bytes(wheel_of("elsewhere.cfg", PINS))
    with pytest.raises(CrosswheelError, match=rf"{wheel.name} has no cibuildwheel/resources/"):
        refresh.pins_of(wheel)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[aarch64]\nmanylinux2014 = quay.io/x:1\n", "[aarch64] manylinux2014: quay.io/x:1 has no digest"),
        ("[aarch64]\nmanylinux2014 = @@\n", "[aarch64] manylinux2014: '@@' is no image"),
        ("[aarch64]\nmanylinux_9_9 = quay.io/x:1\n", "unknown policy 'manylinux_9_9'"),
        ("manylinux2014 = x\n", "the pins cannot be read: File contains no section headers."),
    ],
)
def test_a_list_of_another_shape_is_refused(refresh: ModuleType, text: str, message: str) -> None:
    with pytest.raises(CrosswheelError) as caught:
        refresh.parse_pins(text)
    assert caught.value.message.startswith(message)


def test_the_lock_file_is_as_it_is_written(refresh: ModuleType) -> None:
    text = refresh.LOCK.read_text("utf-8")
    release = re.search(r"# As pinned by (cibuildwheel [\d.]+)\.$", text, re.MULTILINE)
    assert release
    assert text == refresh.lock_text(release[1], pinned_images("pypa"), pinned_images("dockcross"))


def test_a_pin_without_a_digest_is_written_without_one(refresh: ModuleType) -> None:
    assert refresh._table("a.b", ImagePin("x", "1")) == '[a.b]\nrepository = "x"\ntag = "1"\n'
