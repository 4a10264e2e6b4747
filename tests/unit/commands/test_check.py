"""The verb `check`, on wheels and sdists of its own; twine's part is twine."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
from twine.commands.check import check as twine_check

from crosswheel.commands import run_verb
from crosswheel.errors import CheckFailed, NothingToDo, UsageError
from crosswheel.steps.check import describe
from crosswheel.testing import tiny_elf, tiny_wheel
from schemas import schema_of
from tiny_projects import tar_of

FAST = tiny_elf(exports=["PyInit_fast"])
GOOD = "Description-Content-Type: text/x-rst\n\nTiny, *really*.\n"
SCHEMA = schema_of("audit")


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
    with pytest.raises(NothingToDo, match="no wheel and no sdist found in"):
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
    ("rest", "code", "shown", "said"),
    [
        ("\nText.\n", 0, "warning W803", "`long_description_content_type` missing. defaulting to `text/x-rst`"),
        ("Description-Content-Type: text/markdown\n", 0, "warning W803", "`long_description` missing"),
        (
            "Description-Content-Type: text/x-rst\n\n`broken\n",
            20,
            "error W802",
            "line 1: Warning: Inline interpreted text",
        ),
    ],
)
def test_a_description_that_twine_s_strict_check_refuses(
    tmp_path: Path, rest: str, code: int, shown: str, said: str
) -> None:
    path = wheel(tmp_path / "wheelhouse", rest=rest)
    sdist(tmp_path / "wheelhouse")
    ended, text = check(tmp_path)
    assert (ended, shown in text) == (code, True)
    assert f"found {said}" in text
    assert twine_check([str(path)], strict=True)
    # Without --strict, twine refuses what the index refuses, too.
    assert twine_check([str(path)]) is bool(code)


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


def tar(*more: tuple[tarfile.TarInfo, bytes], info: bytes = metadata(), format: int = tarfile.PAX_FORMAT) -> bytes:  # noqa: A002
    """An sdist of PKG-INFO and some members, not packed yet."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=format) as archive:
        for member, data in ((tarfile.TarInfo("tiny-1.0/PKG-INFO"), info), *more):
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return stream.getvalue()


def sparse_of_gnu() -> bytes:
    """As `tar --sparse` writes it: type S, 512 bytes of data that stand at the start of 4096."""
    name = b"tiny-1.0/holes"
    whole = tar((tarfile.TarInfo(name.decode()), b"x" * 512), format=tarfile.GNU_FORMAT)
    at = whole.index(name)
    head = bytearray(whole[at : at + 512])
    head[156:157], head[386:398], head[398:410] = b"S", b"00000000000\0", b"00000001000\0"
    head[483:495], head[148:156] = b"00000010000\0", b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return whole[:at] + bytes(head) + whole[at + 512 :]


def sparse_of_pax() -> bytes:
    """The same as GNU tar writes it into the extended headers of POSIX, version 1.0."""
    member = tarfile.TarInfo("tiny-1.0/GNUSparseFile.0/holes")
    sparse = {"major": "1", "minor": "0", "name": "tiny-1.0/holes", "realsize": "4096"}
    member.pax_headers = {f"GNU.sparse.{key}": value for key, value in sparse.items()}
    return tar((member, b"1\n0\n512\n".ljust(512, b"\0") + b"x" * 512))


def without_a_licence() -> bytes:
    info = metadata(f"License-File: LICENSE\n{GOOD}").replace(b"2.1", b"2.4", 1)
    return tar((tarfile.TarInfo("tiny-1.0/docs/LICENSE"), b""), info=info)


def of_tomorrow() -> bytes:
    return tar((tarfile.TarInfo("tiny-1.0/a.py"), b""), info=metadata().replace(b"2.1", b"2.6", 1))


# The first block of a good archive, and then a stream of zlib that begins with the type of block that there is not.
MALFORMED = gzip.compress(tar()[:512]) + bytes.fromhex("1f8b080000000000000307")


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (gzip.compress(sparse_of_gnu()), "W811"),
        (gzip.compress(sparse_of_pax()), "W811"),
        (gzip.compress(without_a_licence()), "W812"),
        (gzip.compress(of_tomorrow()), "W810"),
        (MALFORMED, "W001"),
        (bz2.compress(tar((tarfile.TarInfo("tiny-1.0/a"), b""))), "W801"),
        (gzip.compress(tar((tarfile.TarInfo("other/a"), b""))), "W801"),
    ],
    ids=["sparse-gnu", "sparse-pax", "no-licence", "metadata-2.6", "zlib", "bzip2", "two-folders"],
)
def test_an_sdist_that_the_index_refuses(tmp_path: Path, data: bytes, rule: str) -> None:
    wheel(tmp_path / "wheelhouse")
    (tmp_path / "wheelhouse" / "tiny-1.0.tar.gz").write_bytes(data)
    assert errors(tmp_path) == [(rule, "tiny-1.0.tar.gz")]


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_an_sdist_with_folders_is_fine_in_any_format(tmp_path: Path, format: int) -> None:  # noqa: A002
    folder = tarfile.TarInfo("tiny-1.0/src")
    folder.type = tarfile.DIRTYPE
    wheel(tmp_path / "wheelhouse")
    (tmp_path / "wheelhouse" / "tiny-1.0.tar.gz").write_bytes(gzip.compress(tar((folder, b""), format=format)))
    assert errors(tmp_path) == []


def test_metadata_of_tomorrow_is_no_error_elsewhere(tmp_path: Path) -> None:
    wheel(tmp_path / "wheelhouse")
    (tmp_path / "wheelhouse" / "tiny-1.0.tar.gz").write_bytes(gzip.compress(of_tomorrow()))
    code, text = check(tmp_path, repository="mine")
    assert (code, "warning W810: " in text) == (0, True)


def test_a_folder_in_record_is_listed_and_not_there(tmp_path: Path) -> None:
    sdist(tmp_path / "wheelhouse")
    path = wheel(tmp_path / "wheelhouse")
    record = "tiny-1.0.dist-info/RECORD"
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[record] += b"tiny/,,\n"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tiny/", b"")
        for name, data in members.items():
            archive.writestr(name, data)
    assert errors(tmp_path) == [("W501", path.name)]


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
    with pytest.raises(CheckFailed, match=r"report\.json is not a report of `wheels`"):
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
    with pytest.raises(UsageError, match=r"tag-format: must contain \{version\} exactly once"):
        check(release(tmp_path))
