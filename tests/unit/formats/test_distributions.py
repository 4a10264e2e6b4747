from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from packaging.version import Version

from crosswheel.errors import CheckFailed, NothingToDo, UsageError
from crosswheel.formats.distributions import files_in, read_distributions


def files(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in names]
    for path in paths:
        path.write_bytes(path.name.encode())
    return paths


WHEEL, OTHER, SDIST = (
    "Tiny_Thing-1.0-py3-none-any.whl",
    "tiny_thing-1.0-cp313-cp313-linux_x86_64.whl",
    "tiny_thing-1.0.tar.gz",
)


def test_a_folder_gives_its_wheels_and_then_its_sdist(tmp_path: Path) -> None:
    files(tmp_path, SDIST, OTHER, WHEEL, "report.json", "logs.tar.gz", "tiny_thing-1.0.zip")
    read = read_distributions([tmp_path])
    assert [file.filename for file in read] == [WHEEL, OTHER, SDIST]
    assert [file.kind for file in read] == ["wheel", "wheel", "sdist"]


def test_name_version_size_and_hash_of_a_file(tmp_path: Path) -> None:
    (file,) = read_distributions(files(tmp_path, WHEEL))
    assert (file.name, file.version, file.size) == ("tiny-thing", Version("1.0"), len(WHEEL))
    assert file.sha256 == hashlib.sha256(WHEEL.encode()).hexdigest()


def test_a_file_named_twice_is_one_file(tmp_path: Path) -> None:
    (path,) = files(tmp_path, WHEEL)
    assert files_in([path, tmp_path, tmp_path / ".." / tmp_path.name / WHEEL]) == (path,)


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    files(tmp_path / "a", WHEEL)
    files(tmp_path / "b", WHEEL)
    with pytest.raises(CheckFailed, match="have the same name"):
        read_distributions([tmp_path / "a", tmp_path / "b"])


@pytest.mark.parametrize("other", ["tiny_thing-1.1.tar.gz", "other-1.0.tar.gz"])
def test_a_release_is_one_project_and_one_version(tmp_path: Path, other: str) -> None:
    files(tmp_path, WHEEL, other)
    with pytest.raises(CheckFailed, match="one version of one project") as caught:
        read_distributions([tmp_path])
    assert other in caught.value.message
    assert WHEEL in caught.value.message


@pytest.mark.parametrize("name", ["tiny.whl", "notes.txt", "tiny.tar.gz"])
def test_a_file_that_was_named_and_is_no_distribution_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(CheckFailed, match=name):
        read_distributions(files(tmp_path, WHEEL, name))


def test_where_there_is_no_file_there_is_nothing_to_do(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(NothingToDo, match=str(folder)):
            read_distributions([folder])


def test_every_file_that_is_not_there_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_distributions([tmp_path / WHEEL, tmp_path / SDIST])
    assert caught.value.mistakes == [f"there is no file {tmp_path / name}" for name in (WHEEL, SDIST)]


def test_a_folder_that_is_mistyped_beside_others_is_not_left_out(tmp_path: Path) -> None:
    files(tmp_path, WHEEL)
    with pytest.raises(UsageError, match=f"there is no file {tmp_path / 'dits'}"):
        read_distributions([tmp_path, tmp_path / "dits"])


def test_an_unpacked_wheel_is_no_file(tmp_path: Path) -> None:
    (tmp_path / WHEEL).mkdir()
    with pytest.raises(CheckFailed, match="is not a file"):
        read_distributions([tmp_path])
