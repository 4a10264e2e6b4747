"""The document about libraries that were copied into a wheel."""

from __future__ import annotations

import json

from crosswheel.formats.packages import Package
from crosswheel.formats.sboms import Grafted, cyclonedx

GOMP = Package("rpm", "almalinux", "libgomp", "8.5.0-22.el8_10", "aarch64")
KNOWN = Grafted("libgomp.so.1", "demo.libs/libgomp-d22c30c5.so.1.0.0", "ab" * 32, GOMP)
UNKNOWN = Grafted("libodd.so.2", "demo.libs/libodd-01234567.so.2", "cd" * 32)


def test_each_library_is_a_component_on_which_the_project_depends() -> None:
    document = json.loads(cyclonedx("demo", "1.0+x", [UNKNOWN, KNOWN], 1_700_000_000))
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/demo@1.0%2Bx"
    assert document["metadata"]["timestamp"] == "2023-11-14T22:13:20Z"
    known, unknown = document["components"]
    assert (known["name"], known["version"]) == ("libgomp", "8.5.0-22.el8_10")
    assert known["purl"].startswith("pkg:rpm/almalinux/libgomp@8.5.0-22.el8_10")
    assert unknown["name"] == "libodd.so.2"
    assert "version" not in unknown, "an unknown version is not invented"
    assert document["dependencies"][0]["dependsOn"] == [known["bom-ref"], unknown["bom-ref"]]


def test_the_same_libraries_give_the_same_bytes_in_any_order() -> None:
    assert cyclonedx("demo", "1", [KNOWN, UNKNOWN], 1) == cyclonedx("demo", "1", [UNKNOWN, KNOWN], 1)
