"""A whole tree for an index of one's own: uploaded by `wheelhouse`, and installed by pip from there alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import crosswheel as cw
from crosswheel.errors import FileClash
from crosswheel.testing import serving_index, tiny_wheel
from real_indexes.clients import pip_install, twine
from real_indexes.servers import Served

pytestmark = pytest.mark.real_indexes

GIVEN: dict[str, Any] = {"platforms": ["manylinux_2_34_aarch64"], "python": [f"cp3{sys.version_info[1]}"]}


def pure(folder: Path, name: str, requires: str = "", content: bytes = b"") -> Path:
    text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    text += f"Requires-Dist: {requires}\n" if requires else ""
    members = {f"{name}-1.0.dist-info/METADATA": text.encode(), f"{name}.py": content}
    return tiny_wheel(folder, name=name, version="1.0", tag="py3-none-any", members=members)


@pytest.fixture
def source(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the tree comes from: `tiny` requires `engine`."""
    folder = tmp_path / "source"
    folder.mkdir()
    pure(folder, "tiny", "engine")
    pure(folder, "engine")
    with serving_index(folder) as url:
        for name, value in {**served.environ, "PIP_INDEX_URL": url, "UV_CACHE_DIR": str(tmp_path / "uv")}.items():
            monkeypatch.setenv(name, value)
        yield folder


@pytest.mark.usefixtures("source")
def test_pip_installs_the_tree_from_the_index_alone(served: Served, tmp_path: Path) -> None:
    report = cw.wheelhouse("tiny", output=tmp_path / "house", repository=served.upload_url, **GIVEN)
    assert report.ok, str(report)
    assert {str(one.release): len(one.sent) for one in report.uploads} == {"engine 1.0": 1, "tiny 1.0": 1}
    again = cw.wheelhouse("tiny", output=tmp_path / "house", repository=served.upload_url, **GIVEN)
    assert [one.sent for one in again.uploads] == [(), ()]
    installed = pip_install(served, tmp_path / "there", "tiny==1.0")
    assert installed.returncode == 0, installed.stderr


@pytest.mark.usefixtures("source")
def test_other_bytes_of_one_release_do_not_stop_the_others(served: Served, tmp_path: Path) -> None:
    (tmp_path / "others").mkdir()
    assert twine(served, pure(tmp_path / "others", "engine", content=b"other = 1")).returncode == 0
    report = cw.wheelhouse("tiny", output=tmp_path / "house", repository=served.upload_url, **GIVEN)
    assert report.exit_code == FileClash.exit_code
    assert {str(one.release): one.failure is None for one in report.uploads} == {"engine 1.0": False, "tiny 1.0": True}
