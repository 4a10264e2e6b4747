"""Archives and channels: what is in them, and that they are the same each time."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from crosswheel.conda_packages.archives import write_package
from crosswheel.conda_packages.channel import write_repodata
from crosswheel.conda_packages.packages import CondaPackage, packages_of
from crosswheel.errors import CheckFailed
from crosswheel.formats.wheels import read_wheel
from crosswheel.testing import tiny_wheel

streaming = pytest.importorskip("conda_package_streaming.package_streaming")

INFO = "tiny-1.0.dist-info"
METADATA = """\
Metadata-Version: 2.4
Name: tiny
Version: 1.0
Summary: A tiny package
License-Expression: MIT
License-File: LICENSE
Project-URL: Homepage, https://example.org
Project-URL: Source Code, https://example.org/code
Classifier: License :: OSI Approved :: MIT License
"""
MEMBERS = {
    "tiny/__init__.py": b"",
    f"{INFO}/METADATA": METADATA.encode(),
    f"{INFO}/licenses/LICENSE": b"Free.",
    f"{INFO}/entry_points.txt": b"[console_scripts]\ntiny = tiny:main\n",
}
EPOCH = 1_700_000_000


def package(folder: Path, tag: str = "cp312-cp312-manylinux_2_28_aarch64", **more: Any) -> CondaPackage:
    folder.mkdir(exist_ok=True)
    return packages_of(read_wheel(tiny_wheel(folder, **{"tag": tag, "members": MEMBERS, **more})))[0]


def component(path: Path, name: str) -> dict[str, bytes]:
    with path.open("rb") as stream:
        members = streaming.stream_conda_component(path.name, stream, name)
        return {member.name: archive.extractfile(member).read() for archive, member in members}


def test_the_same_wheel_gives_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = write_package(package(tmp_path), tmp_path / "one", EPOCH)
    monkeypatch.setattr("time.time", lambda: EPOCH + 10**8)
    second = write_package(package(tmp_path), tmp_path / "two", EPOCH)
    assert first.name == second.name
    assert first.read_bytes() == second.read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [first.name]


def test_an_archive_is_as_the_format_says(tmp_path: Path) -> None:
    made = package(tmp_path)
    path = write_package(made, tmp_path, EPOCH)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["metadata.json", f"pkg-{made.stem}.tar.zst", f"info-{made.stem}.tar.zst"]
        assert json.loads(archive.read("metadata.json")) == {"conda_pkg_format_version": 2}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}


def test_info_describes_the_package(tmp_path: Path) -> None:
    made = package(tmp_path)
    path = write_package(made, tmp_path, EPOCH)
    info, files = component(path, "info"), component(path, "pkg")
    assert json.loads(info["info/index.json"]) == {
        "name": "tiny",
        "version": "1.0",
        "build": f"py312h{made.wheel.sha256[:7]}_0",
        "build_number": 0,
        "depends": ["python >=3.12,<3.13.0a0", "python_abi 3.12.* *_cp312", "__glibc >=2.28,<3.0.a0"],
        "subdir": "linux-aarch64",
        "arch": "aarch64",
        "platform": "linux",
        "license": "MIT",
        "timestamp": EPOCH * 1000,
    }
    about = json.loads(info["info/about.json"])
    assert (about["home"], about["dev_url"]) == ("https://example.org", "https://example.org/code")
    assert (about["summary"], about["license"]) == ("A tiny package", "MIT")
    assert info["info/licenses/LICENSE"] == b"Free."
    assert "info/link.json" not in info
    paths = {entry["_path"]: entry for entry in json.loads(info["info/paths.json"])["paths"]}
    assert list(paths) == sorted(files) == info["info/files"].decode().splitlines()
    for name, data in files.items():
        assert (paths[name]["sha256"], paths[name]["size_in_bytes"]) == (hashlib.sha256(data).hexdigest(), len(data))
    assert paths["bin/tiny"]["file_mode"] == "text"
    assert paths["bin/tiny"]["prefix_placeholder"].encode() in files["bin/tiny"]


def test_a_pure_package_leaves_its_scripts_to_the_installer(tmp_path: Path) -> None:
    info = component(write_package(package(tmp_path, "py3-none-any"), tmp_path, EPOCH), "info")
    index = json.loads(info["info/index.json"])
    assert (index["noarch"], index["subdir"], "arch" in index) == ("python", "noarch", False)
    link = json.loads(info["info/link.json"])
    assert link["noarch"] == {"type": "python", "entry_points": ["tiny = tiny:main"]}


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("License: BSD\n", "BSD"),
        (f"License: {'word ' * 30}\nClassifier: License :: OSI Approved :: BSD License\n", "BSD License"),
        ("License: UNKNOWN\n", None),
        ("", None),
    ],
)
def test_older_metadata_name_the_licence_in_words(lines: str, expected: str | None, tmp_path: Path) -> None:
    metadata = f"Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n{lines}".encode()
    made = package(tmp_path, members={f"{INFO}/METADATA": metadata})
    index = json.loads(component(write_package(made, tmp_path, EPOCH), "info")["info/index.json"])
    assert index.get("license") == expected


def test_repodata_lists_all_packages_of_a_channel(tmp_path: Path) -> None:
    channel = tmp_path / "channel"
    path = write_package(package(tmp_path), channel / "linux-aarch64", EPOCH)
    assert write_repodata(channel) == (channel / "linux-aarch64/repodata.json", channel / "noarch/repodata.json")
    other = package(tmp_path, "cp313-cp313-manylinux_2_28_aarch64")
    write_package(other, channel / "linux-aarch64", EPOCH)
    write_repodata(channel)
    repodata = json.loads((channel / "linux-aarch64/repodata.json").read_text())
    assert repodata["info"] == {"subdir": "linux-aarch64"}
    assert set(repodata["packages.conda"]) == {path.name, other.file_name}
    entry = repodata["packages.conda"][path.name]
    assert (entry["sha256"], entry["size"]) == (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_size)
    assert entry["name"] == "tiny"
    assert json.loads((channel / "noarch/repodata.json").read_text())["packages.conda"] == {}


def test_a_broken_package_in_the_channel_is_named(tmp_path: Path) -> None:
    (tmp_path / "noarch").mkdir()
    (tmp_path / "noarch" / "broken-1-0.conda").write_bytes(b"no zip")
    with pytest.raises(CheckFailed, match=r"broken-1-0\.conda cannot be read"):
        write_repodata(tmp_path)


def test_a_package_that_is_there_is_not_compressed_again(tmp_path: Path) -> None:
    path = write_package(package(tmp_path), tmp_path, EPOCH)
    there = path.stat().st_ino
    assert write_package(package(tmp_path), tmp_path, EPOCH).stat().st_ino == there
    assert write_package(package(tmp_path), tmp_path, EPOCH + 2).stat().st_ino != there
    path.write_bytes(b"damaged")
    write_package(package(tmp_path), tmp_path, EPOCH)
    assert component(path, "pkg")


def test_an_archive_without_an_index_is_named(tmp_path: Path) -> None:
    from conda_package_streaming.create import conda_builder

    (tmp_path / "noarch").mkdir()
    with conda_builder("empty-1-0", tmp_path / "noarch"):
        pass
    with pytest.raises(CheckFailed, match=r"it has no valid info/index\.json"):
        write_repodata(tmp_path)
