"""The pinned images, and where the pins come from."""

from __future__ import annotations

import importlib.util
import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from crosswheel.errors import CrosswheelError, ImageUnavailable
from crosswheel.images.pins import Family, ImagePin, pinned_image, pinned_images
from crosswheel.images.references import parse_reference
from crosswheel.model.targets import architectures, parse_target
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from index_server import IndexServer, index_server

TOOLS = Path(__file__).parents[3] / "tools"
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
OTHER = f"sha256:{'fedcba9876543210' * 4}"


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
