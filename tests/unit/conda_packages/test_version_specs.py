"""Version specifiers in conda's words."""

from __future__ import annotations

import pytest
from packaging.specifiers import SpecifierSet

from crosswheel.conda_packages.version_specs import conda_spec, python_spec


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        (">=1.2", ">=1.2"),
        ("<2,>=1.2", ">=1.2,<2a0"),
        ("~=1.4.2", ">=1.4.2,1.4.*"),
        ("~=1.4", ">=1.4,1.*"),
        ("==1.2.*", "1.2.*"),
        ("!=1.3.*,>=1", ">=1,!=1.3.*"),
        ("===1.2", "==1.2"),
        ("<=3", "<=3"),
        ("<2.0", "<2a0"),
        ("<2.10", "<2.10a0"),
        ("<2.0rc1", "<2.0rc1"),
        ("!=1.1,>1,<1!2", ">1,!=1.1,<1!2a0"),
    ],
)
def test_a_specifier_keeps_its_meaning(given: str, expected: str) -> None:
    assert conda_spec(SpecifierSet(given)) == expected


@pytest.mark.parametrize(
    ("requires", "first", "beyond", "expected"),
    [
        ("", "", "", ""),
        (">=3.9", "", "", ">=3.9"),
        (">=3.9", "3.12", "3.13", ">=3.12,<3.13.0a0"),
        (">=3.12.3,<4", "3.12", "3.13", ">=3.12.3,<3.13.0a0"),
        (">=3.9,<3.15,!=3.9.7", "3.8", "", ">=3.9,<3.15a0,!=3.9.7"),
        (">=3.9", "3.9", "3.10", ">=3.9,<3.10.0a0"),
    ],
)
def test_of_several_bounds_of_python_the_narrowest_is_written(
    requires: str, first: str, beyond: str, expected: str
) -> None:
    assert python_spec(SpecifierSet(requires), first, beyond) == expected
