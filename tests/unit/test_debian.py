"""The helper of other tests that unpacks Debian packages: what it does without a mirror."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import debian


def test_a_missing_program_is_a_reason_to_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setattr(debian, "_KEYRING", keyring)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(debian.DebianUnavailable, match="apt-get is not installed"):
        debian.unpacked("arm64", ["hello"], "bookworm", tmp_path)


def test_a_run_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(state: Path, *_: object) -> list[Path]:
        state.mkdir()
        raise debian.DebianUnavailable("no network")

    monkeypatch.setattr(debian, "_download", fail)
    with pytest.raises(debian.DebianUnavailable):
        debian.unpacked("arm64", ["hello"], "bookworm", tmp_path)
    assert [path for path in (tmp_path / "debian").iterdir() if path.is_dir()] == []


def test_what_is_there_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []

    def download(*arguments: object) -> list[Path]:
        asked.append(arguments)
        return []

    monkeypatch.setattr(debian, "_download", download)
    first = debian.unpacked("arm64", ["one", "two"], "bookworm", tmp_path)
    assert debian.unpacked("arm64", ["two", "one"], "bookworm", tmp_path) == first
    assert debian.unpacked("arm64", ["one"], "bookworm", tmp_path) != first
    assert debian.unpacked("armhf", ["one", "two"], "bookworm", tmp_path) != first
    assert len(asked) == 3


def test_lists_are_fetched_once_and_again_when_the_mirror_has_other_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    gone: set[str] = set()

    def apt(command: list[str], _timeout: float) -> str:
        asked.append(command[-1] if command[-1] == "update" else command[-2])
        if "update" in command:
            gone.clear()
        if gone & {*command}:
            raise debian.DebianUnavailable("404  Not Found")
        return ""

    monkeypatch.setattr(debian, "_program", lambda name: name)
    monkeypatch.setattr(debian, "_keyring", lambda: tmp_path / "keyring.gpg")
    monkeypatch.setattr(debian, "mirror", lambda: "http://127.0.0.1/debian")
    monkeypatch.setattr(debian, "_run", apt)

    def download(name: str) -> list[str]:
        asked.clear()
        debian._download(tmp_path / name, "arm64", ["x"], "bookworm", tmp_path)
        return [*asked]

    assert download("first") == ["update", "install"]
    assert download("second") == ["install"]
    gone.add("x")
    # Once more only to tell a name that the suite has not from a mirror that does not answer.
    assert download("third") == ["install", "install", "update", "install"]


def test_a_package_of_unmerged_days_goes_into_usr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of /lib land in /usr/lib, and an absolute link leads to the file inside, by either name."""
    deb = _deb(tmp_path, {"lib/libx.so.1": "x"}, {"usr/lib/libx.so": "/lib/libx.so.1"})
    monkeypatch.setattr(debian, "_download", lambda *_: [deb])
    root = debian.unpacked("arm64", ["x"], "bookworm", tmp_path / "cache")
    assert (root / "lib").is_symlink()
    assert (root / "usr" / "lib" / "libx.so.1").read_text() == "x"
    assert not (root / "usr" / "lib" / "libx.so").readlink().is_absolute()
    assert (root / "lib" / "libx.so").resolve() == root / "usr" / "lib" / "libx.so.1"


def _deb(folder: Path, files: dict[str, str], links: dict[str, str]) -> Path:
    tree = folder / "tree"
    for name, text in {**files, "DEBIAN/control": _CONTROL}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    for name, target in links.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)
    try:
        command = [debian._program("dpkg-deb"), "--build", str(tree), str(folder / "x.deb")]
    except debian.DebianUnavailable as error:
        pytest.skip(str(error))
    subprocess.run(command, capture_output=True, check=True)
    return folder / "x.deb"


_CONTROL = "Package: x\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: x\n"
