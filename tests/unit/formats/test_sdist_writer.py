"""An sdist's archive, written anew so that the same content is the same bytes."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path

import pytest

from crosswheel.formats.sdist_writer import seal_sdist


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.no_cover
def test_order_changes_neither_the_bytes_nor_the_time(tmp_path: Path) -> None:
    members = {f"tiny-1.0/{number:04}": os.urandom(4_000) for number in range(800)}
    sorted_one = pack(tmp_path / "sorted.tar.gz", members)
    turned = pack(tmp_path / "turned.tar.gz", dict(reversed(members.items())))
    seconds = []
    for archive in (sorted_one, turned):
        began = time.process_time()
        seal_sdist(archive, 1_000_000_000)
        seconds.append(time.process_time() - began)
    assert sorted_one.read_bytes() == turned.read_bytes()
    assert seconds[1] < 4 * seconds[0]
