"""Tests under QEMU without containers: what they leave to containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from crosswheel.engines.qemu_tests import find_qemu_test
from crosswheel.model.config_reader import load_config
from crosswheel.model.targets import parse_target
from tiny_projects import tiny_facts, tiny_host


@pytest.mark.parametrize(
    "options",
    [{"before-test": "make"}, {"test-sources": ["tests"]}, {"test-requires": ["-r", "x"]}, {"test-images": ["a:1"]}],
    ids=str,
)
def test_what_needs_a_container_is_not_left_out_of_the_test(options: dict[str, Any], tmp_path: Path) -> None:
    config = load_config(tmp_path, {}, code=options)
    found = find_qemu_test(parse_target("cp313-manylinux2014_aarch64"), config, tiny_facts(tiny_host(tmp_path)))
    assert isinstance(found, str)
    assert found.endswith("need containers")
