"""Version specifiers (PEP 440) as conda writes them (CEP 29)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version


def conda_spec(specifiers: SpecifierSet) -> str:
    """``>=1.2,<2a0`` for ``<2,>=1.2``; empty for no specifier. The order is always the same."""
    return ",".join(part for one in sorted(specifiers, key=_order) for part in _parts(one))


def python_spec(requires: SpecifierSet, first: str = "", beyond: str = "") -> str:
    """The versions of Python that `requires` allows, from `first` on (``3.9``) and below `beyond` (``3.10``).

    Of several lower bounds only the highest is written, of upper bounds only the lowest.
    """
    lowest = [*([Version(first)] if first else []), *(Version(one.version) for one in requires if one.operator == ">=")]
    highest = {Version(one.version): next(_parts(one)) for one in requires if one.operator == "<"}
    if beyond:
        highest[Version(beyond)] = f"<{beyond}.0a0"
    others = conda_spec(SpecifierSet(",".join(str(one) for one in requires if one.operator not in {">=", "<"})))
    lower = f">={max(lowest)}" if lowest else ""
    upper = highest[min(highest)] if highest else ""
    return ",".join(filter(None, (lower, upper, others)))


_OPERATORS = (">=", ">", "~=", "==", "===", "!=", "<=", "<")


def _order(specifier: Specifier) -> tuple[int, str]:
    return _OPERATORS.index(specifier.operator), specifier.version


def _parts(specifier: Specifier) -> Iterator[str]:
    operator, version = specifier.operator, specifier.version
    if operator == "~=":
        # By definition >=1.4.2 and ==1.4.*
        yield f">={version}"
        yield f"{'.'.join(map(str, Version(version).release[:-1]))}.*"
    elif operator == "==" and version.endswith(".*"):
        yield version
    elif operator == "<" and not Version(version).is_prerelease:
        # PEP 440: <2.0 does not allow 2rc1 and 2.0rc1, which are below 2 in conda's order, but not below 2a0.
        yield f"<{re.sub(r'(?:[.]0)+$', '', version)}a0"
    else:
        yield f"{'==' if operator == '===' else operator}{version}"
