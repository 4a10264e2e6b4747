"""Which package owns a file, by the databases of dpkg, apk and rpm in a folder with a system."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from pathlib import Path, PurePosixPath

import pytest

from crosswheel.formats.package_databases import owner_in
from crosswheel.formats.packages import Package, parsed_package

LIBRARY = PurePosixPath("/usr/lib/libfoo.so.1.2")


def put(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize("path", ["/usr/lib/libfoo.so.1.2", "/lib/libfoo.so.1.2"])
def test_dpkg(tmp_path: Path, path: str) -> None:
    put(
        tmp_path,
        {
            "etc/os-release": 'NAME="Debian GNU/Linux"\nID=debian\n',
            "var/lib/dpkg/info/libbar.list": f"/.\n{path}.more\n",
            "var/lib/dpkg/info/libfoo1:arm64.list": f"/.\n/usr\n{path}\n",
            "var/lib/dpkg/status": (
                "Package: libfoo1\nArchitecture: amd64\nVersion: 9\n\n"
                "Package: libfoo1\nStatus: install ok installed\nArchitecture: arm64\nVersion: 1:1.2-3\n"
                "Description: foo\n Package: no\n"
            ),
        },
    )
    package = Package("deb", "debian", "libfoo1", "1:1.2-3", "arm64")
    assert owner_in(tmp_path, LIBRARY) == package
    assert package.purl == "pkg:deb/debian/libfoo1@1%3A1.2-3?arch=arm64"


def test_apk(tmp_path: Path) -> None:
    put(
        tmp_path,
        {
            "usr/lib/os-release": 'ID="alpine"\n',
            "lib/apk/db/installed": (
                "P:libbar\nV:1-r0\nF:usr/lib\nR:libbar.so\n\n"
                "P:libfoo-libs\nV:1.2-r3\nA:aarch64\nF:usr\nF:usr/lib\nR:libfoo.so.1.2\n\n"
            ),
        },
    )
    assert owner_in(tmp_path, LIBRARY) == Package("apk", "alpine", "libfoo-libs", "1.2-r3", "aarch64")


def test_rpm(tmp_path: Path) -> None:
    put(tmp_path, {"etc/os-release": 'ID="almalinux"\n'})
    headers = [
        rpm_header(name="bar", folders=["/usr/bin/"], indexes=[0], files=["bar"]),
        rpm_header(name="foo-libs", folders=["/usr/", "/usr/lib/"], indexes=[0, 1], files=["lib", "libfoo.so.1.2"]),
    ]
    database = tmp_path / "var/lib/rpm/rpmdb.sqlite"
    database.parent.mkdir(parents=True)
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
        connection.executemany("INSERT INTO Packages (blob) VALUES (?)", [(header,) for header in headers])
    assert owner_in(tmp_path, LIBRARY) == Package("rpm", "almalinux", "foo-libs", "1.2-3.el9", "aarch64")
    assert owner_in(tmp_path, PurePosixPath("/usr/lib/libbar.so")) is None


def rpm_header(name: str, folders: list[str], indexes: list[int], files: list[str]) -> bytes:
    """As rpm's lib/header.c writes it: two counts, an index of 16 bytes for each tag, the values."""
    texts = {1000: [name], 1001: ["1.2"], 1002: ["3.el9"], 1022: ["aarch64"], 1117: files, 1118: folders}
    data, rows = struct.pack(f">{len(indexes)}I", *indexes), [struct.pack(">IIiI", 1116, 4, 0, len(indexes))]
    for tag, values in texts.items():
        rows.append(struct.pack(">IIiI", tag, 8 if len(values) > 1 else 6, len(data), len(values)))
        data += b"".join(f"{value}\0".encode() for value in values)
    return struct.pack(">II", len(rows), len(data)) + b"".join(rows) + data


@pytest.mark.parametrize("name", ["var/lib/dpkg/status", "lib/apk/db/installed", "var/lib/rpm/rpmdb.sqlite"])
def test_a_broken_database_knows_nothing(tmp_path: Path, name: str) -> None:
    put(tmp_path, {"var/lib/dpkg/info/x.list": f"{LIBRARY}\n", name: "F\nR:\nP"})
    assert owner_in(tmp_path, LIBRARY) is None


def test_no_database(tmp_path: Path) -> None:
    assert owner_in(tmp_path, LIBRARY) is None


def test_a_package_in_a_line() -> None:
    package = Package("rpm", "almalinux", "libgomp", "8.5.0-22.el8_10", "aarch64")
    assert parsed_package("rpm almalinux libgomp 8.5.0-22.el8_10 aarch64\n") == package
    assert package.purl == "pkg:rpm/almalinux/libgomp@8.5.0-22.el8_10?arch=aarch64"
    for text in ("", "rpm almalinux libgomp", "npm x y z a", f"rpm x y {'z' * 1000} a"):
        assert parsed_package(text) is None
