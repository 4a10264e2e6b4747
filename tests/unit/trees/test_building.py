"""From verdicts to what `wheels` is asked for."""

from __future__ import annotations

import pytest

from crosswheel.errors import SourceError
from crosswheel.model.targets import parse_target
from crosswheel.trees.building import PackageOutcome, build_requirements, packages_to_build, sdist_of, source_of
from crosswheel.trees.cells import cell_of
from crosswheel.trees.verdicts import Verdict

CELLS = [cell_of(parse_target(f"cp3{minor}-manylinux_2_28_aarch64")) for minor in (12, 13)]
URL = "https://index.invalid/files/demo-1.0.tar.gz"


def test_a_package_is_built_once_for_all_its_cells() -> None:
    verdicts = [Verdict("demo", "1.0", cell, "to build", "demo-1.0.tar.gz") for cell in CELLS]
    (package,) = packages_to_build(verdicts)
    assert package.cells == tuple(CELLS)
    assert source_of(package) == "demo==1.0"
    assert sdist_of(package) is None, "without address and sha256 the index is asked by name"


def test_the_sdist_is_the_one_that_the_tree_names() -> None:
    (package,) = packages_to_build([Verdict("demo", "1.0", CELLS[0], "to build", URL, url=URL, sha256="ab" * 32)])
    sdist = sdist_of(package)
    assert sdist is not None
    assert (sdist.filename, sdist.url, sdist.digests) == ("demo-1.0.tar.gz", URL, {"sha256": "ab" * 32})


@pytest.mark.parametrize(
    ("version", "file", "message"),
    [
        ("", "git+https://code.invalid/demo@main", "demo is required from git+https://code.invalid/demo"),
        ("", "https://code.invalid/demo.zip", "no version of demo is known"),
    ],
)
def test_what_is_not_downloaded_says_so(version: str, file: str, message: str) -> None:
    (package,) = packages_to_build([Verdict("demo", version, CELLS[0], "to build", file)])
    with pytest.raises(SourceError) as caught:
        source_of(package)
    assert caught.value.message.startswith(message)
    assert caught.value.hint


def test_names_of_build_requirements_are_normalised_and_odd_ones_left_out() -> None:
    assert build_requirements({"build-system": {"requires": ["Meson_Python>=0.15", "not a requirement!"]}}) == {
        "meson-python"
    }
    assert build_requirements({"build-system": {"requires": "setuptools"}}) == frozenset()
    assert build_requirements({}) == frozenset()


def test_a_failure_stops_only_builds_that_cannot_have_the_package() -> None:
    missing, published = (packages_to_build([Verdict("demo", "1.0", CELLS[0], it)])[0] for it in ("to build", "wheel"))
    assert PackageOutcome(missing, "failed").stops_others
    assert PackageOutcome(missing, "skipped").stops_others
    assert not PackageOutcome(missing, "failed", across=True).stops_others
    assert not PackageOutcome(published, "failed").stops_others
    assert not PackageOutcome(missing, "built").stops_others
