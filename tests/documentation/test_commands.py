"""The commands of the pages, run in the order of the page; the terminal shows what the page says."""

from __future__ import annotations

import re
import subprocess
from itertools import groupby, zip_longest
from pathlib import Path

import pytest

from console_blocks import Block, blocks, shows, user_environ, without_numbers
from documentation_scenes import OF_AN_INDEX, SCENES
from upload_server import upload_server

pytest.importorskip("nox")
pytestmark = pytest.mark.slow  # each command takes a second or more

RUN = [block for block in blocks() if not re.match("not run|run by", block.mark)]
PAGES = {page: list(found) for page, found in groupby(RUN, lambda block: block.page)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environ(tmp_path: Path, cache: Path) -> dict[str, str]:
    return {**user_environ(tmp_path, cache), "NOX_SCRIPT_MODE": "none"}


def _marks(page: str) -> list[pytest.MarkDecorator]:
    # Everybody reads the README.
    return [
        *([] if page == "README.md" else [pytest.mark.daily(4)]),
        *([pytest.mark.index] if page in OF_AN_INDEX else []),
    ]


@pytest.mark.parametrize("page", [pytest.param(page, marks=_marks(page)) for page in PAGES])
def test_the_commands_of_a_page(page: str, tmp_path: Path, environ: dict[str, str]) -> None:
    folder = tmp_path / "tiny"
    folder.mkdir()
    with upload_server() as server:
        for block, scene in zip_longest(PAGES[page], SCENES[page]):
            if scene:
                scene(folder, server)
            for command, lines in block.commands:
                _run(block, command, lines, folder, environ)


def _run(block: Block, command: str, lines: list[str], folder: Path, environ: dict[str, str]) -> None:
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=600,
        check=False,
    )
    output = done.stdout.replace(str(folder), "/home/you/tiny")
    said = f"{block.place}: {command}\n{output}"
    compared = lines if not block.mark.startswith("not compared") else []
    if not shows(without_numbers(output), without_numbers("\n".join(compared)).split("\n")):
        pytest.fail(f"the page says otherwise: {said}", pytrace=False)
    if not compared and done.returncode:
        pytest.fail(f"exit code {done.returncode}: {said}", pytrace=False)
