"""docs/compose.md: the code of a recipe is the file in its folder here, and its commands show what the page says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from console_blocks import shows, user_environ
from tiny_projects import tiny_project
from upload_server import upload_server

pytest.importorskip("nox")

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "compose.md"
PYPIRC = """\
[distutils]
index-servers = company

[company]
repository = {}
username = me
password = secret
"""


@dataclass(frozen=True)
class Recipe:
    """A section of the page: `files` by the path that it links, and each command with the lines that it shows."""

    title: str
    text: str
    files: dict[str, str]
    commands: list[tuple[str, list[str]]]

    @property
    def folder(self) -> str:
        return next(iter(self.files)).partition("/")[0]


def recipes() -> Iterator[Recipe]:
    for section in re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        files = dict(re.findall(r"\]\(\.\./tests/recipes/(\S+)\):\n\n```python\n(.*?)```", body, re.DOTALL))
        if files:
            shown = "".join(re.findall(r"```console\n(.*?)```", body, re.DOTALL))
            commands = [command.rstrip("\n").split("\n") for command in re.split(r"^\$ ", shown, flags=re.MULTILINE)]
            text = body.partition("[`")[0].strip()
            yield Recipe(title, text, files, [(first, lines) for first, *lines in commands[1:]])


RECIPES = list(recipes())


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What runs keep between each other: which interpreters there are, and the wheel that most of them make."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environ(tmp_path: Path, cache: Path) -> dict[str, str]:
    return user_environ(tmp_path, cache)


def prepared(recipe: Recipe, folder: Path) -> Path:
    """A project without any compiled code, with the files of the recipe beside it."""
    project = tiny_project("pure", folder)
    shutil.copytree(HERE / recipe.folder, project, dirs_exist_ok=True)
    for package in project.glob("packages/*"):
        shutil.copy(project / "tiny_backend.py", package)
    return project


def run(command: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    name, *words = shlex.split(command)
    return subprocess.run(
        [sys.executable, "-m", name, *words],
        cwd=folder,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def test_there_are_ten_recipes_and_each_has_a_folder() -> None:
    assert len(RECIPES) == 10
    assert {recipe.folder for recipe in RECIPES} == {path.name for path in HERE.iterdir() if path.is_dir()} - {
        "__pycache__"
    }


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.folder for recipe in RECIPES])
def test_a_recipe_is_what_the_page_says(recipe: Recipe, tmp_path: Path, environ: dict[str, str]) -> None:
    assert {name: (HERE / name).read_text() for name in recipe.files} == recipe.files
    assert recipe.commands
    project = prepared(recipe, tmp_path)
    with upload_server() as server:
        (tmp_path / ".pypirc").write_text(PYPIRC.format(server.url))
        for command, lines in recipe.commands:
            done = run(command, project, environ)
            assert shows(done.stdout, lines), done.stdout


@pytest.mark.parametrize("recipe", RECIPES, ids=[recipe.folder for recipe in RECIPES])
def test_a_recipe_is_short(recipe: Recipe) -> None:
    sentences = re.findall(r"[.!?](?=\s|$)", recipe.text)
    assert 1 <= len(sentences) <= 3
