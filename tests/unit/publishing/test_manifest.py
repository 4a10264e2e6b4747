"""release.json and release.md, of a release with one of everything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from packaging.utils import canonicalize_name
from packaging.version import Version

import crosswheel
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.model.job import StepTime
from crosswheel.model.targets import parse_target
from crosswheel.publishing.changelog import ChangelogEntry
from crosswheel.publishing.manifest import Manifest, tool_versions
from crosswheel.publishing.pip_choices import Choice
from crosswheel.publishing.published import PublishedFile
from crosswheel.publishing.repositories import Repository
from crosswheel.publishing.verification import Mismatch, Verification
from crosswheel.reporting.manifest import manifest_document, manifest_markdown, write_manifest
from crosswheel.system.git import Checkout
from schemas import schema_of

SCHEMA = schema_of("release")
ARM, MUSL = parse_target("cp313-manylinux2014_aarch64"), parse_target("cp313-musllinux_1_2_aarch64")
IMAGE = f"quay.io/pypa/manylinux2014_aarch64@sha256:{'d' * 64}"
CANARY = "canary-in-the-mine"


def file(name: str, sha256: str = "a") -> Distribution:
    kind: Any = "wheel" if name.endswith(".whl") else "sdist"
    return Distribution(Path("/home/me", name), canonicalize_name("tiny"), Version("1.0"), kind, 2048, sha256 * 64)


WHEEL, PLAIN = file("tiny-1.0-cp313-cp313-manylinux2014_aarch64.whl"), file("tiny-1.0-py3-none-any.whl", "b")
SDIST = file("tiny-1.0.tar.gz", "c")


def served(*files: Distribution) -> tuple[PublishedFile, ...]:
    url = f"https://me:{CANARY}@files.example/x/{{}}?signature={CANARY}#sha256=0"
    return tuple(PublishedFile(file.filename, file.sha256, 1, "", yanked=False, url=url.format(1)) for file in files)


@pytest.fixture
def manifest() -> Manifest:
    index = Repository(
        "staging", f"https://me:{CANARY}@index.example/up/?token={CANARY}", "https://index.example/", "me", CANARY
    )
    files = (WHEEL, PLAIN, SDIST)
    return Manifest(
        distributions=files,
        checkout=Checkout("e" * 40, 1_700_000_000, ("v1.0",)),
        tag="v1.0",
        entry=ChangelogEntry(Path("/home/me/CHANGELOG.md"), "[1.0] - 2026-05-01", "### Added\n\n- **All** of it."),
        released=1_700_000_100.5,
        builds=(
            Build(
                ARM, "built", "native", IMAGE, WHEEL.filename, "a" * 64, tested=True,
                steps=(StepTime("build", 2.5), StepTime("test", 0.25)), crosswheel="0.1",
            ),
            Build(MUSL, "pure", "cross", "", PLAIN.filename, "f" * 64),
        ),
        verifications=(
            Verification(index, files, served(*files), (), (Choice(ARM, WHEEL.filename),), WHEEL.filename),
            Verification(
                replace(index, name=f"https://me:{CANARY}@index.example/up/"),
                files,
                served(WHEEL),
                (Mismatch(SDIST.filename, "file", "nothing", "2048 bytes"),),
            ),
        ),
        tools=tool_versions(),
        sboms={WHEEL.filename: ("tiny-1.0.dist-info/sboms/crosswheel.cdx.json",)},
    )  # fmt: skip


def document(manifest: Manifest) -> dict[str, Any]:
    made = manifest_document(manifest)
    jsonschema.validate(made, SCHEMA, jsonschema.Draft202012Validator)
    return made


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_what_was_released(manifest: Manifest) -> None:
    made = document(manifest)
    assert (made["name"], made["version"], made["tag"], made["commit"]) == ("tiny", "1.0", "v1.0", "e" * 40)
    assert (made["committed"], made["released"]) == ("2023-11-14T22:13:20+00:00", "2023-11-14T22:15:00+00:00")
    assert made["changelog"]["file"] == "CHANGELOG.md"
    assert made["totals"] == {"files": 3, "bytes": 6144, "targets": 1, "tested": 1}


def test_each_file_with_how_it_was_made(manifest: Manifest) -> None:
    wheel, plain, sdist = document(manifest)["files"]
    assert (wheel["tag"], wheel["sha256"], sdist["tag"]) == ("cp313-cp313-manylinux2014_aarch64", "a" * 64, None)
    assert (wheel["sboms"], sdist["sboms"]) == (["tiny-1.0.dist-info/sboms/crosswheel.cdx.json"], [])
    (build,) = wheel["builds"]
    assert (build["target"], build["engine"], build["image"]) == (str(ARM), "native", IMAGE)
    assert (build["tested"], build["seconds"], len(build["steps"])) == (True, 2.75, 2)
    assert plain["builds"] == []  # what was written down is of other bytes


def test_each_index_with_what_it_serves(manifest: Manifest) -> None:
    staging, real = document(manifest)["indexes"]
    assert (staging["name"], staging["upload_url"], staging["ok"]) == ("staging", "https://index.example/up/", True)
    assert staging["files"][0] == {"file": WHEEL.filename, "sha256": "a" * 64, "url": "https://files.example/x/1"}
    assert staging["targets"] == [{"target": str(ARM), "file": WHEEL.filename}]
    assert (real["name"], real["ok"], len(real["files"])) == ("https://index.example/up/", False, 1)
    assert real["differences"][0]["expected"] == "2048 bytes"


def test_no_secret_and_no_folder_of_this_machine_is_published(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest)
    for path in tmp_path.iterdir():
        assert CANARY not in path.read_text()
        assert "/home/me" not in path.read_text()


def test_both_files_are_written_as_a_whole(manifest: Manifest, tmp_path: Path) -> None:
    write_manifest(tmp_path, manifest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["release.json", "release.md"]
    assert json.loads((tmp_path / "release.json").read_text()) == manifest_document(manifest)
    assert (tmp_path / "release.md").read_text() == manifest_markdown(manifest)


NOTES = f"""\
## tiny 1.0

### Added

- **All** of it.

### Files

| file | size | sha256 | built by | tested on |
| --- | --: | --- | --- | --- |
| {WHEEL.filename} | 2.0 KiB | {"a" * 64} | native | {ARM} |
| {PLAIN.filename} | 2.0 KiB | {"b" * 64} |  |  |
| {SDIST.filename} | 2.0 KiB | {"c" * 64} |  |  |

### Provenance

- tag v1.0, commit {"e" * 40} of 2023-11-14T22:13:20+00:00
- built in quay.io/pypa/manylinux2014_aarch64&#64;sha256:{"d" * 64}
- made in 2.8 s, and tested on 1 of 1 target
- read back from staging, https&#58;//index.example/: the same bytes
- read back from https&#58;//index.example/up/, https&#58;//index.example/: 1 difference
- twine 7
"""


def test_notes(manifest: Manifest) -> None:
    assert manifest_markdown(replace(manifest, tools={"twine": "7"})) == NOTES


def test_notes_claim_no_test_that_nobody_ran(manifest: Manifest) -> None:
    untested = replace(manifest.builds[0], tested=False, untested="no Docker Engine answers there")
    assert ", and tested on 0 of 1 target\n" in manifest_markdown(replace(manifest, builds=(untested,)))


def test_what_others_wrote_stays_text(manifest: Manifest) -> None:
    entry = ChangelogEntry(Path("CHANGES.rst"), "1.0", "<img> ```` @somebody")
    hostile = replace(manifest.builds[0], image="x\x1b[31m\n| <img> @somebody", engine="*a*")
    notes = manifest_markdown(replace(manifest, entry=entry, builds=(hostile,), tag="v<b>", tools={"a": "[b](c)"}))
    assert "`````text\n<img> ```` @somebody\n`````" in notes
    assert notes.count("<") == 1
    assert "- built in x &#124; &#60;img&#62; &#64;somebody\n" in notes
    assert "- tag v&#60;b&#62;," in notes
    assert "a &#91;b&#93;(c)" in notes


def test_versions_of_tools() -> None:
    versions = tool_versions()
    assert {"crosswheel", "python", "twine", "pip", "auditwheel"} <= versions.keys()
    cross = Build(ARM, "built", "cross", crosswheel=crosswheel.__version__)
    assert "zig" in tool_versions([cross])
    assert "zig" not in {*versions, *tool_versions([replace(cross, engine="native"), replace(cross, crosswheel="0")])}
