"""What `bad_wheels` leaves open: where the 5xx rules have nothing to say, and where they look at the environment."""

from __future__ import annotations

import zipfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from bad_archives import header
from crosswheel.auditing.rules.archive import DishonestTime, UnsafeName
from crosswheel.auditing.run import audit_wheel
from crosswheel.errors import AuditFailed
from crosswheel.formats.wheels import read_wheel
from crosswheel.testing import tiny_wheel

DIST_INFO = "tiny-1.0.dist-info"


def metadata(version: str, *lines: str) -> bytes:
    return "\n".join([f"Metadata-Version: {version}", "Name: tiny", "Version: 1.0", *lines, "", ""]).encode()


@pytest.mark.parametrize(
    "members",
    [
        {
            f"{DIST_INFO}/METADATA": metadata("2.4", "License-File: LICENSE", "License-File: vendor/zlib/LICENSE"),
            f"{DIST_INFO}/licenses/LICENSE": b"",
            f"{DIST_INFO}/licenses/vendor/zlib/LICENSE": b"",
        },
        # What License-File meant before PEP 639, every backend knew for itself.
        {f"{DIST_INFO}/METADATA": metadata("2.1", "License-File: LICENSE"), f"{DIST_INFO}/LICENSE": b""},
        {
            "tiny/tests/test_tiny.py": b"",
            "tiny/docs/index.md": b"",
            "tiny/README.md": b"",
            "tiny-1.0.data/data/docs": b"",
        },
        {"tiny.pyc": b"", "tiny.o.py": b"", "orig/tiny.py": b""},
        {"täny/größe.py": b"", "tiny/...py": b"", "tiny/.hidden": b""},
    ],
    ids=["licences", "licences of old", "tests and documents of its own", "names like leftovers", "odd names"],
)
def test_nothing_to_say(members: dict[str, bytes], tmp_path: Path) -> None:
    assert audit_wheel(tiny_wheel(tmp_path, members={"tiny.py": b"", **members})) == ()


def test_a_package_may_be_called_tests(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, name="tests", members={"tests/__init__.py": b""})
    assert audit_wheel(path) == ()


@pytest.mark.parametrize(
    ("epoch", "found"),
    [
        ("1767225600", []),  # the first second of 2026
        ("1767225599", ["2026-01-01 00:00:00"]),
        ("0", ["2026-01-01 00:00:00"]),  # taken for 1980, as writers do: what else is there is of that day
        ("soon", []),
        ("1e400", []),
    ],
)
def test_times_and_the_epoch_of_the_sources(
    epoch: str, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", epoch)
    path = tiny_wheel(tmp_path, members={"tiny.py": b""})
    header("tiny.py", moment=_dos(datetime(2026, 1, 1)))(path)  # noqa: DTZ001
    assert [finding.found for finding in DishonestTime().check(read_wheel(path), None)] == found


def test_the_clocks_of_the_east_are_not_the_future(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    path = tiny_wheel(tmp_path, members={"tiny.py": b""})
    for hours, count in ((14, 0), (26, 1)):
        header("tiny.py", moment=_dos(datetime.now(timezone.utc) + timedelta(hours=hours)))(path)
        assert len(list(DishonestTime().check(read_wheel(path), None))) == count


def test_one_finding_for_many_members_of_one_time(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny.py": b""})
    for member in ("METADATA", "WHEEL", "RECORD"):
        header(f"{DIST_INFO}/{member}", moment=0)(path)
    (finding,) = audit_wheel(path)
    assert (finding.member, finding.found) == (f"{DIST_INFO}/METADATA", "no date, and 2 more")


def test_a_name_with_a_nul(tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny_.py": b""})
    path.write_bytes(path.read_bytes().replace(b"tiny_.py", b"tiny\0.py"))
    assert [f.member for f in UnsafeName().check(read_wheel(path), None)] == ["tiny\0.py"]


@pytest.mark.parametrize("missing", ["METADATA", "WHEEL", "RECORD"])
def test_a_folder_without_its_files_is_no_wheel(missing: str, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith(missing)}
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data)
    with pytest.raises(AuditFailed, match=rf"is not a wheel: it has no {DIST_INFO}/{missing}$"):
        audit_wheel(path)


def _dos(time: datetime) -> int:
    date = (time.year - 1980) << 9 | time.month << 5 | time.day
    return date << 16 | time.hour << 11 | time.minute << 5 | time.second // 2
