from __future__ import annotations

import io
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from clock import LIMIT, Clock
from crosswheel.errors import SourceError, TimeLimit, UsageError
from crosswheel.formats.sdists import member_names, seal, unpack, unpack_sdist
from crosswheel.model.job import Chore, Event, Sdist
from crosswheel.pipeline.source import _parse_name, fetch, folder_of, name_of, requires_python_of
from crosswheel.system import process
from tiny_projects import PKG_INFO, tiny_host, tiny_project


def deaf(_event: Event) -> None:
    pass


# ---- folders --------------------------------------------------------------------------------------------------


def test_a_folder_becomes_the_sdist_that_its_backend_makes(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    said: list[Event] = []
    (tmp_path / "made").mkdir()
    sdist = fetch(str(project), tiny_host(tmp_path), tmp_path / "made", said.append)
    assert said[0] == Chore("making the sdist of platform")
    assert len(said) == 2
    assert (sdist.name, sdist.version, sdist.requires_python) == ("tiny", "1.0", ">=3.10")
    assert sdist.path == tmp_path / "made" / "sdist" / "tiny-1.0.tar.gz"
    assert "tiny-1.0/fast.c" in member_names(sdist.path)


def dated_project(folder: Path, **times: float) -> Path:
    """A project of 2023, but for some files."""
    project = tiny_project("platform", folder)
    for path in project.iterdir():
        os.utime(path, (1_700_000_000, 1_700_000_000))
    for name, moment in times.items():
        path = project / name
        path.touch()
        os.utime(path, (moment, moment))
    return project


def sdist_of(project: Path, folder: Path, **environ: str) -> Sdist:
    folder.mkdir()
    host = tiny_host(folder)
    return fetch(str(project), replace(host, environ={**host.environ, **environ}), folder, deaf)


def test_a_folder_without_git_is_as_old_as_the_newest_file_of_its_sdist(tmp_path: Path) -> None:
    project = dated_project(tmp_path, LICENSE=1_710_000_000)
    # As the last sdist left it, and as this one does.
    (project / "PKG-INFO").write_bytes(PKG_INFO)
    first = sdist_of(project, tmp_path / "first")
    (project / "PKG-INFO").write_bytes(PKG_INFO)
    second = sdist_of(project, tmp_path / "second")
    assert (first.epoch, second.epoch) == (1_710_000_000, 1_710_000_000)
    assert first.content == second.content


def test_a_checkout_is_as_old_as_its_last_commit(tmp_path: Path) -> None:
    project = dated_project(tmp_path)
    date = "1650000000 +0000"
    environ = {"PATH": os.environ["PATH"], "GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    for words in (["init"], ["add", "."], ["-c", "user.name=x", "-c", "user.email=x", "commit", "-m", "x"]):
        subprocess.run(["/usr/bin/env", "git", *words], cwd=project, env=environ, check=True, capture_output=True)
    assert sdist_of(project, tmp_path / "made").epoch == 1_650_000_000


def test_the_sdist_of_a_commit_is_the_same_bytes_wherever_and_whenever_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for name, moment, mask in (("first", 1_600_000_000, 0o022), ("second", 1_700_000_000, 0o007)):
        (tmp_path / name / "temporary").mkdir(parents=True)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / name / "temporary"))
        before = os.umask(mask)
        try:
            project = dated_project(tmp_path / name, LICENSE=moment)
            for path in project.iterdir():
                path.chmod(0o666 & ~mask)
            os.link(project / "LICENSE", project / ("A_COPY" if mask else "Z_COPY"))
            (project / ("A_COPY" if mask else "Z_COPY")).rename(project / "COPYING")
            made.append(sdist_of(project, tmp_path / name / "made", SOURCE_DATE_EPOCH="1650000000"))
        finally:
            os.umask(before)
    first, second = made
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256
    unpacked = unpack_sdist(first, tmp_path / "unpacked")
    assert {int(path.stat().st_mtime) for path in unpacked.iterdir()} == {1_650_000_000}
    assert (unpacked / "fast.c").read_bytes() == (tmp_path / "first" / "platform" / "fast.c").read_bytes()


def test_links_and_programs_of_an_sdist_stay_what_they_are(tmp_path: Path) -> None:
    path = tmp_path / "tiny-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, kind, link, mode in (
            ("b", tarfile.REGTYPE, "", 0o755),
            ("a", tarfile.LNKTYPE, "tiny-1.0/b", 0o644),
            ("c", tarfile.SYMTYPE, "b", 0o777),
            ("folder", tarfile.DIRTYPE, "", 0o700),
        ):
            member = tarfile.TarInfo(f"tiny-1.0/{name}")
            member.type, member.linkname, member.mode = kind, link, mode
            member.size = 3 if name == "b" else 0
            archive.addfile(member, io.BytesIO(b"run"))
    seal(path, 1_650_000_000)
    unpacked = unpack(path, tmp_path / "unpacked")
    assert [(unpacked / name).read_bytes() for name in "abc"] == [b"run"] * 3
    assert os.access(unpacked / "b", os.X_OK)
    assert (unpacked / "c").readlink() == Path("b")
    assert (unpacked / "folder").is_dir()


def test_an_sdist_that_cannot_be_read_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "tiny-1.0.tar.gz"
    path.write_bytes(b"no archive")
    with pytest.raises(SourceError, match="cannot be read"):
        seal(path, 1_650_000_000)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(("text", "epoch"), [("1600000000", 1_600_000_000), ("0", 315_532_800), ("-1", 315_532_800)])
def test_the_callers_time_wins(text: str, epoch: int, tmp_path: Path) -> None:
    project = dated_project(tmp_path)
    made = sdist_of(project, tmp_path / "made", SOURCE_DATE_EPOCH=text)
    assert made.epoch == epoch
    host = tiny_host(tmp_path)
    host = replace(host, environ={**host.environ, "SOURCE_DATE_EPOCH": text})
    assert fetch(str(made.path), host, tmp_path, deaf).epoch == epoch


def test_a_time_that_is_no_number_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH must be a whole number of seconds, not 'today'"):
        sdist_of(dated_project(tmp_path), tmp_path / "made", SOURCE_DATE_EPOCH="today")


def test_a_folder_that_is_no_project_is_refused(tmp_path: Path) -> None:
    for ask in (
        lambda: fetch(str(tmp_path), tiny_host(tmp_path), tmp_path, deaf),
        lambda: requires_python_of(str(tmp_path), tiny_host(tmp_path)),
    ):
        with pytest.raises(SourceError) as caught:
            ask()
        assert caught.value.message == f"{tmp_path} is not a Python project: it has neither pyproject.toml nor setup.py"
        assert caught.value.hint == "give a project's folder, an sdist file, or NAME==VERSION"


def test_a_backend_that_cannot_make_the_sdist_is_quoted(tmp_path: Path) -> None:
    project = tiny_project("platform", tmp_path)
    (project / "tiny_backend.py").write_text("raise RuntimeError('no backend today')\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(SourceError) as caught:
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf)
    first, *_, last = caught.value.message.splitlines()
    reason = "RuntimeError: no backend today"
    assert (first, last) == (f"the sdist of platform could not be built: code of the build ended it: {reason}", reason)
    assert caught.value.hint == f"python -m build --sdist {project}"


def test_a_backend_that_hangs_over_the_sdist_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = tiny_project("platform", tmp_path)
    log = tmp_path / "made" / "sdist.log"
    monkeypatch.setattr(process, "time", Clock(lambda: log.exists() and "it began" in log.read_text()))
    (project / "tiny_backend.py").write_text("import time\nprint('it', 'began', flush=True)\ntime.sleep(600)\n")
    (tmp_path / "made").mkdir()
    with pytest.raises(TimeLimit, match="was still running at the time limit"):
        fetch(str(project), tiny_host(tmp_path), tmp_path / "made", deaf, timeout=LIMIT)
    assert [path for path in (tmp_path / "made").rglob("*") if path.is_file()] == [log]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"pyproject.toml": "[project]\nname = 'x'\nrequires-python = '>=3.12'\n"}, ">=3.12"),
        ({"pyproject.toml": "", "setup.cfg": "[options]\npython_requires = >=3.11 ; x%y\n"}, ">=3.11 ; x%y"),
        ({"setup.py": "", "setup.cfg": "[metadata]\nname = x\n"}, ""),
        ({"setup.py": ""}, ""),
    ],
)
def test_requires_python_is_read_without_building_anything(tmp_path: Path, files: dict[str, str], found: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert requires_python_of(str(tmp_path), tiny_host(tmp_path)) == found


@pytest.mark.parametrize(
    ("name", "text"),
    [("setup.cfg", "no section\n"), ("pyproject.toml", "project = 1\n"), ("pyproject.toml", "[project\n")],
)
def test_a_project_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "setup.py").touch()
    (tmp_path / name).write_text(text)
    with pytest.raises((SourceError, UsageError), match=name):
        requires_python_of(str(tmp_path), tiny_host(tmp_path))


def test_an_sdist_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"there is no file nowhere/tiny-1\.0\.tar\.gz"):
        fetch("nowhere/tiny-1.0.tar.gz", tiny_host(tmp_path), tmp_path, deaf)


def test_a_name_with_a_version_is_no_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny==1.0").mkdir()
    Path("tiny").mkdir()
    assert {text: folder_of(text) for text in ("tiny==1.0", "tiny===1.0", "./tiny==1.0", "tiny", str(tmp_path))} == {
        "tiny==1.0": None,
        "tiny===1.0": None,
        "./tiny==1.0": Path("tiny==1.0"),
        "tiny": Path("tiny"),
        str(tmp_path): tmp_path,
    }
    assert name_of("tiny==1.0") == "tiny"


# ---- names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("kiwisolver", "kiwisolver", None),
        ("kiwisolver==1.4.9", "kiwisolver", "1.4.9"),
        ("Kiwi_Solver == 1.4.9", "Kiwi_Solver", "1.4.9"),
        ("kiwisolver===1.4.9", "kiwisolver", "1.4.9"),
        ("kiwisolver==2.0rc1", "kiwisolver", "2.0rc1"),
    ],
)
def test_a_name_may_be_pinned(text: str, name: str, version: str | None) -> None:
    its_name, its_version = _parse_name(text)
    assert (its_name, its_version and str(its_version)) == (name, version)


@pytest.mark.parametrize(
    "text",
    [
        "kiwisolver>=1", "kiwisolver==1.*", "kiwisolver==1,!=2", "no/such/folder", "kiwi solver", "", "kiwisolver==",
        "kiwisolver @ file:///x.tar.gz", "kiwisolver; python_version > '3'",
    ],
)  # fmt: skip
def test_anything_else_is_no_source(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        requires_python_of(text or "=", tiny_host(tmp_path))
    assert caught.value.message == f"{text or '='!r} is neither a folder, nor an sdist file, nor NAME or NAME==VERSION"
    assert caught.value.hint == "crosswheel wheels --source kiwisolver==1.4.9"
