"""The verb `check`, on wheels and sdists of its own; twine's part is twine."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

import crosswheel
from crosswheel.commands import run_verb
from crosswheel.errors import CheckFailed, NothingToDo, UsageError
from crosswheel.steps.check import describe
from crosswheel.testing import tiny_elf, tiny_wheel
from tiny_projects import tar_of

FAST = tiny_elf(exports=["PyInit_fast"])
GOOD = "Description-Content-Type: text/x-rst\n\nTiny, *really*.\n"
SCHEMA = json.loads((Path(crosswheel.__file__).parent / "data" / "audit.schema.json").read_text())


def metadata(rest: str = GOOD, version: str = "1.0") -> bytes:
    return f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n{rest}".encode()


def wheel(folder: Path, minor: int = 13, rest: str = GOOD, arch: str = "aarch64", version: str = "1.0") -> Path:
    folder.mkdir(exist_ok=True)
    return tiny_wheel(
        folder,
        version=version,
        tag=f"cp3{minor}-cp3{minor}-manylinux_2_17_{arch}",
        members={
            f"tiny-{version}.dist-info/METADATA": metadata(rest, version),
            f"tiny/fast.cpython-3{minor}-{arch}-linux-gnu.so": FAST,
        },
    )


def sdist(folder: Path, info: bytes = metadata(), name: str = "tiny-1.0") -> Path:
    folder.mkdir(exist_ok=True)
    return tar_of({"PKG-INFO": info, "tiny.py": b""}, folder, top=f"{name}/", name=f"{name}.tar.gz")


def release(folder: Path) -> Path:
    wheel(folder / "wheelhouse")
    sdist(folder / "wheelhouse")
    return folder


def check(project: Path, *wheels: Path, **options: Any) -> tuple[int, str]:
    stream = io.StringIO()
    given = {"wheels": [str(path) for path in wheels], "jobs": 1, **options}
    return run_verb("check", project, given, stream), stream.getvalue()


def errors(project: Path) -> list[tuple[str, str]]:
    """The rules that were broken, and where."""
    check(project, json=str(project / "check.json"))
    document = json.loads((project / "check.json").read_text())
    jsonschema.validate(document, SCHEMA)
    each = [(file["file"], finding) for file in document["wheels"] for finding in file["findings"]]
    all_of_them = [*each, *((finding["member"], finding) for finding in document["findings"])]
    return [(finding["rule"], where) for where, finding in all_of_them if finding["level"] == "error"]


def test_a_good_release_passes(tmp_path: Path) -> None:
    code, text = check(release(tmp_path))
    assert code == 0
    assert "✔ tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl" in text
    assert "✔ tiny-1.0.tar.gz" in text
    assert "2 files · 1 note" in text
    assert errors(tmp_path) == []


def test_without_a_file_there_is_nothing_to_do(tmp_path: Path) -> None:
    with pytest.raises(NothingToDo, match="there is no wheel and no sdist in"):
        check(tmp_path)


def test_what_an_audit_finds_fails_a_check(tmp_path: Path) -> None:
    sdist(tmp_path / "wheelhouse")
    bad = tiny_wheel(
        tmp_path / "wheelhouse", tag="cp313-cp313-linux_aarch64", members={"tiny-1.0.dist-info/METADATA": metadata()}
    )
    code, text = check(tmp_path)
    assert code == CheckFailed.exit_code == 20
    assert "error W601: " in text
    assert ("W601", bad.name) in errors(tmp_path)


def test_a_release_has_an_sdist_and_wheels(tmp_path: Path) -> None:
    wheel(tmp_path / "wheelhouse")
    assert errors(tmp_path) == [("W707", "tiny")]
    (tmp_path / "other").mkdir()
    sdist(tmp_path / "other")
    code, text = check(tmp_path, tmp_path / "other")
    assert (code, "error W806: " in text) == (20, True)


def test_what_is_switched_off_fails_nothing(tmp_path: Path) -> None:
    wheel(tmp_path / "wheelhouse")
    (tmp_path / "pyproject.toml").write_text('[tool.crosswheel]\nignore = { W707 = "closed source" }\n')
    code, text = check(tmp_path)
    assert code == 0
    assert "switched off (closed source), error W707" in text


@pytest.mark.parametrize(
    ("rest", "rule", "said"),
    [
        ("\nText.\n", "W803", "`long_description_content_type` missing. defaulting to `text/x-rst`"),
        ("Description-Content-Type: text/markdown\n", "W803", "`long_description` missing"),
        ("Description-Content-Type: text/x-rst\n\n`broken\n", "W802", "line 1: Warning: Inline interpreted text"),
    ],
)
def test_a_description_that_twine_s_strict_check_refuses(tmp_path: Path, rest: str, rule: str, said: str) -> None:
    path = wheel(tmp_path / "wheelhouse", rest=rest)
    sdist(tmp_path / "wheelhouse")
    code, text = check(tmp_path)
    assert code == 20
    assert f"found {said}" in text
    assert errors(tmp_path) == [(rule, path.name)]
    verdict = subprocess.run(["twine", "check", "--strict", path], capture_output=True, check=False)  # noqa: S607
    assert verdict.returncode == 1


def test_markdown_always_renders(tmp_path: Path) -> None:
    told = describe(sdist(tmp_path, metadata("Description-Content-Type: text/markdown\n\n`broken\n")))
    assert (told.missing, told.unrendered, told.refused) == ((), (), "")


@pytest.mark.parametrize(
    ("info", "rule"),
    [
        (metadata("License-Expression: (((\n\nText.\n"), "W801"),
        (b"Name: tiny\n", "W801"),
        (metadata(version="1.1"), "W805"),
    ],
)
def test_an_sdist_whose_metadata_is_wrong(tmp_path: Path, info: bytes, rule: str) -> None:
    wheel(tmp_path / "wheelhouse")
    path = sdist(tmp_path / "wheelhouse", info)
    assert errors(tmp_path) == [(rule, path.name)]


def test_files_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    release(tmp_path)
    for path in (tmp_path / "wheelhouse").iterdir():
        path.write_bytes(b"no archive")
    code, text = check(tmp_path)
    assert code == 20
    assert text.count("error W001: ") == 2


@pytest.mark.parametrize("line", ["Requires-Dist: large; " + "(" * 3000, "Content-Type: message/rfc822"])
def test_metadata_that_was_made_to_harm_are_findings(tmp_path: Path, line: str) -> None:
    release(tmp_path)
    sdist(tmp_path / "wheelhouse", metadata().replace(b"\n\n", f"\n{line}\n\n".encode(), 1))
    code, _ = check(tmp_path)
    assert code in {0, 20}


def test_the_index_takes_normalised_names_of_sdists_only(tmp_path: Path) -> None:
    wheel(tmp_path / "wheelhouse")
    sdist(tmp_path / "wheelhouse", name="Tiny-1.0")
    assert errors(tmp_path) == [("W709", "Tiny-1.0.tar.gz")]


def test_no_target_of_the_plan_may_be_missing(tmp_path: Path) -> None:
    release(tmp_path)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "Tiny"\n[tool.crosswheel]\narch = ["aarch64", "x86_64"]\n'
    )
    code, text = check(tmp_path)
    assert code == 20
    assert "tiny, found no wheel, expected cp313-manylinux2014_x86_64" in text


def report(folder: Path, **wheel_of: Any) -> None:
    """What `wheels` would have written of two targets, the second of which failed."""
    common: dict[str, Any] = {
        "engine": "cross",
        "image": None,
        "tested": False,
        "untested": "",
        "note": "",
        "steps": [],
    }
    jobs = [
        {**common, "target": "cp313-manylinux2014_aarch64", "status": "built", "wheel": wheel_of},
        {**common, "target": "cp312-manylinux2014_aarch64", "status": "failed", "wheel": None},
    ]
    document = {"kind": "report", "started": "2026", "sdist": {"name": "tiny", "version": "1.0"}, "jobs": jobs}
    (folder / "report.json").write_text(json.dumps(document))


def test_what_wheels_planned_counts_too_and_so_do_the_bytes_that_it_tested(tmp_path: Path) -> None:
    release(tmp_path)
    made = next((tmp_path / "wheelhouse").glob("*.whl"))
    report(tmp_path / "wheelhouse", file=made.name, sha256="0" * 64)
    code, text = check(tmp_path)
    assert code == 20
    assert "tiny, found no wheel, expected cp312-manylinux2014_aarch64" in text
    assert "warning W809: " in text


def test_a_damaged_report_is_no_report(tmp_path: Path) -> None:
    (release(tmp_path) / "wheelhouse" / "report.json").write_text("{")
    with pytest.raises(CheckFailed, match=r"report\.json is not what `wheels` wrote"):
        check(tmp_path)


def repository(folder: Path, tag: str) -> None:
    author = ["-c", "user.name=tester", "-c", "user.email=tester"]
    for words in (["init"], [*author, "commit", "--allow-empty", "-m", "first"], ["tag", tag]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)  # noqa: S607


@pytest.mark.parametrize(
    ("name", "tag", "found"), [("tiny", "v1.0", []), ("tiny", "v1.1", [("W807", "tiny")]), ("other", "v1.1", [])]
)
def test_the_tag_of_the_project_s_own_repository_counts(
    tmp_path: Path, name: str, tag: str, found: list[tuple[str, str]]
) -> None:
    repository(release(tmp_path), tag)
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "{name}"\n')
    assert errors(tmp_path) == found


@pytest.mark.parametrize("tag_format", ["v1.0", "{version}{version}", "{name}-{version}", "{", "v{version}}"])
def test_a_tag_format_that_names_no_version(tmp_path: Path, tag_format: str) -> None:
    (tmp_path / "pyproject.toml").write_text(f'[tool.crosswheel]\ntag-format = "{tag_format}"\n')
    with pytest.raises(UsageError, match=r"tag-format: must have \{version\} in it, once"):
        check(release(tmp_path))
