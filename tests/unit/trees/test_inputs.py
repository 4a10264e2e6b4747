"""What callers may name."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.errors import UsageError
from crosswheel.trees.inputs import read_inputs


def touched(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_requirements_are_one_tree_and_each_lock_is_another(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(touched(tmp_path, "requirements.txt", "a/uv.lock", "pylock.prod.toml", "b/poetry.lock"))
    words = ["requirements.txt", "a/uv.lock", "numpy<2", "pylock.prod.toml", "b/poetry.lock"]
    trees = read_inputs(words, Path())
    assert [(tree.named, tree.kind) for tree in trees] == [
        ("requirements.txt, numpy<2", "requirements"),
        ("a/uv.lock", "uv.lock"),
        ("pylock.prod.toml", "pylock"),
        ("b/poetry.lock", "poetry.lock"),
    ]
    assert trees[0].files == (tmp_path / "requirements.txt",)
    assert trees[0].names == ("numpy<2",)
    assert trees[1].lock == tmp_path / "a/uv.lock"


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        (("uv.lock", "pylock.toml", "pyproject.toml"), "uv.lock"),
        (("pylock.toml", "pyproject.toml"), "pylock"),
        (("poetry.lock", "pyproject.toml"), "poetry.lock"),
        (("pyproject.toml", "requirements.txt"), "requirements"),
        (("requirements.txt",), "requirements"),
    ],
)
def test_a_folder_stands_for_its_lock_or_its_requirements(tmp_path: Path, files: tuple[str, ...], kind: str) -> None:
    (tree,) = read_inputs((), touched(tmp_path, *files))
    assert (tree.kind, tree.files) == (kind, (tmp_path / files[0],))


def test_every_wrong_word_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read_inputs(["./none.txt", "no such thing", "deep/er", "numpy", str(tmp_path)], Path())
    text = str(raised.value)
    assert "there is no file or folder './none.txt'" in text
    assert "'no such thing' is no file, no folder and no requirement" in text
    assert "there is no file or folder 'deep/er'" in text
    assert f"the folder '{tmp_path}' has no uv.lock, pylock.toml, poetry.lock, pyproject.toml" in text
    assert "numpy" not in text


def test_a_requirement_with_an_address_is_one() -> None:
    (tree,) = read_inputs(["x @ https://example/x-1.0.tar.gz"], Path())
    assert [name.replace(" ", "") for name in tree.names] == ["x@https://example/x-1.0.tar.gz"]


def test_an_address_alone_is_a_requirement_too() -> None:
    (tree,) = read_inputs(["https://example/x-1.0.tar.gz", "git+https://example/y.git"], Path())
    assert tree.names == ("https://example/x-1.0.tar.gz", "git+https://example/y.git")


def test_requirements_that_were_split_at_commas_are_whole_again() -> None:
    (tree,) = read_inputs(["six>=1", "<2", "app[fast", "safe]~=3.0", "!=3.1", "other"], Path())
    assert [name.partition(";")[0] for name in tree.names] == ["six<2,>=1", "app[fast,safe]!=3.1,~=3.0", "other"]
