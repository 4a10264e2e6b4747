"""A specifier in conda's words allows the versions that it allows on PyPI."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from crosswheel.conda_packages.version_specs import conda_spec

pytest.importorskip("rattler", reason="py-rattler is not installed")
pytestmark = pytest.mark.slow

SPECIFIERS = [
    ">=1.4", ">1.4", "<2", "<2.0", "<2.0.0", "<=2", "~=1.4.2", "~=1.4", "~=1.4.2.1", "~=2.0",
    "==1.4.*", "==1.4.2.*", "!=1.4.*", "==1.4", "==2", "!=2", ">=1.4,<2", "<1.10", "===1.4.2", "<1.4.3",
    ">=1.4.0,!=1.4.1,<1.5", ">=2rc1", "<1!2",
]  # fmt: skip
VERSIONS = [
    "1", "1.0", "1.4", "1.4.0", "1.4.1", "1.4.2", "1.4.2.post1", "1.4.3", "1.4.3rc1", "1.5",
    "1.5a1", "1.5rc1", "1.10", "2a1", "2rc1", "2.0rc1", "2.0.0rc1", "2", "2.0", "2.0.1",
    "2.1", "3", "1!1.0", "1!2",
]  # fmt: skip


def test_versions_match_as_on_pypi() -> None:
    pairs = list(product(SPECIFIERS, VERSIONS))
    asked = json.dumps([(conda_spec(SpecifierSet(spec)), version) for spec, version in pairs])
    command = [sys.executable, str(Path(__file__).with_name("matching.py")), asked]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    expected = [SpecifierSet(spec).contains(version, prereleases=True) for spec, version in pairs]
    found = json.loads(done.stdout)
    assert [pair for pair, one, other in zip(pairs, found, expected, strict=True) if one != other] == []
