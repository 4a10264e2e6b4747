"""What doctor says of images without an engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from crosswheel.images.store import ensure_unpacked
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures
from crosswheel.upkeep.unpacked_images import PlatformImage, look_at_images
from layer_files import Member, gzipped, image, layer
from registry_server import registry_server

SILENT = "127.0.0.1:1"


def look(folder: Path, reference: str, **options: Any) -> list[PlatformImage]:
    settings = f'[tool.crosswheel.images]\nmanylinux2014_aarch64 = "{reference}"\n'
    (folder / "pyproject.toml").write_text(settings)
    return [*look_at_images(load_config(folder, options), folder / "cache", os.environ)]


def test_an_image_is_unpacked_or_its_registry_answers_or_neither(tmp_path: Path) -> None:
    with registry_server() as registry:
        reference = registry.add("x:1", image([gzipped(layer(Member("x", b"1" * 5000)))]))
        (row,) = look(tmp_path, reference)
        assert row == PlatformImage("manylinux2014_aarch64", reference, registry=registry.host)
        ensure_unpacked(
            tmp_path / "cache", reference, architectures()["aarch64"], mirrors=(), offline=False, listener=deaf
        )
        asked = len(registry.seen)
        (row,) = look(tmp_path, reference)
        assert row == PlatformImage("manylinux2014_aarch64", reference, size=5000)
        assert len(registry.seen) == asked
        (row,) = look(tmp_path, f"{SILENT}/x:1", mirrors=[registry.host])
        assert row.registry == registry.host
    (row,) = look(tmp_path, f"{SILENT}/x:1")
    assert row.trouble == f"the connection to {SILENT} failed: Connection refused"
    (row,) = look(tmp_path, "./image.tar")
    assert row.registry == "a file"


def test_what_has_no_image_is_told(tmp_path: Path) -> None:
    (row,) = look(tmp_path, f"{SILENT}/x:1", arch=["riscv64"], policy="manylinux_2_31")
    assert row.trouble.startswith("no image of pypa is pinned for manylinux_2_31 on riscv64")
