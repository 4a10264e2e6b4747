"""Cargo's folders: downloaded crates, kept for a project, and compiled ones, kept for each of its targets.

The user's own folder is never given to builds: it has tokens, and a build could change crates that other projects use.
Its settings are copied without secrets, so that mirrors and vendored crates are found (The Cargo Book,
"Configuration").
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crosswheel.errors import UsageError
from crosswheel.model.pyproject import read_toml
from crosswheel.system.locks import mark_used

# Tables of config.toml that say where crates come from and how they are fetched.
_TABLES = ("source", "registries", "net", "http")
_SECRET = re.compile(r"token|password|secret|credential")
_USER_INFO = re.compile(r"://[^/@\s]*:[^/@\s]*@")
_PATHS = ("directory", "local-registry", "cainfo")
_PATH_KEYS = tuple(f'"{name}"' for name in _PATHS)

# What may differ between two runs without changing what Cargo compiles.
_VOLATILE = ("SOURCE_DATE_EPOCH", "CARGO_BUILD_JOBS", "MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL")


@dataclass(frozen=True)
class CargoCache:
    """A project's folders: `home` has its crates, `built` what was compiled of them for `target`."""

    folder: Path
    target: str

    @property
    def home(self) -> Path:
        return home_in(self.folder)

    @property
    def built(self) -> Path:
        return self.folder / self.target

    def environ(self, root: Path) -> dict[str, str]:
        """Variables that name the folders to Cargo; panics in the wheel name neither these nor `root`, the job's."""
        moved = {self.home / "registry" / "src": "/crates", root: "/build"}
        flags = [f"--remap-path-prefix={old}={new}" for old, new in moved.items()]
        # Cargo splits the variable at spaces, and joins it with the project's own build.rustflags.
        remapping = {} if " " in "".join(map(str, moved)) else {"CARGO_BUILD_RUSTFLAGS": " ".join(flags)}
        return {"CARGO_HOME": str(self.home), "CARGO_TARGET_DIR": str(self.built), **remapping}


def cargos_of(cache: Path) -> Path:
    """The folder with one of Cargo's caches for each project."""
    return cache / "cargo"


def home_in(folder: Path) -> Path:
    """A project's CARGO_HOME in its cache."""
    return folder / "home"


def open_cargo_home(folder: Path, user: Path) -> Path:
    """A project's CARGO_HOME in its cache, with the settings of `user`, the user's own Cargo folder."""
    home = home_in(folder)
    home.mkdir(parents=True, exist_ok=True)
    mark_used(folder)
    # Jobs of one project share it, and the others may be reading.
    written = home / f".config-{threading.get_ident()}"
    written.write_text(_settings_for_builds(user), "utf-8")
    written.replace(home / "config.toml")
    return home


def open_cargo_cache(
    folder: Path, target: str, user: Path, environ: Mapping[str, str], rests_on: Sequence[str]
) -> CargoCache:
    """A project's Cargo folders for a target in `folder`, with the settings of `user`, the user's own Cargo folder.

    What was compiled with other variables than `environ`, or on the base of something else than `rests_on`, is removed:
    Cargo does not notice changed compilers, headers and flags of C code.
    """
    made = CargoCache(folder, target)
    open_cargo_home(folder, user)
    lasting = {name: value for name, value in environ.items() if name not in _VOLATILE}
    stamp = hashlib.sha256(json.dumps([lasting, *rests_on], sort_keys=True).encode()).hexdigest()
    written = folder / f"{target}.made-with"
    if not written.is_file() or written.read_text("utf-8") != stamp:
        shutil.rmtree(made.built, ignore_errors=True)
        written.write_text(stamp, "utf-8")
    return made


def user_cargo_home(environ: Mapping[str, str]) -> Path:
    """The folder of the user's Cargo."""
    return Path(environ.get("CARGO_HOME") or Path(environ.get("HOME") or "/", ".cargo")).absolute()


def vendored_by(user: Path) -> tuple[Path, ...]:
    """The folders and files that the settings in the user's Cargo folder name, such as vendored crates."""
    return tuple(
        Path(value) for key, value in _chosen_settings(user) if key.endswith(_PATH_KEYS) and isinstance(value, str)
    )


# ---- settings ---------------------------------------------------------------------------------------------------


def _settings_for_builds(user: Path) -> str:
    """The text of a config.toml with those of the user's settings that concern crates, and no secrets."""
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in _chosen_settings(user))


def _chosen_settings(user: Path) -> Iterator[tuple[str, Any]]:
    path = next((path for path in (user / "config.toml", user / "config") if path.is_file()), None)
    try:
        settings = read_toml(path) if path else {}
    except UsageError:  # Cargo itself would say what is wrong, but builds do not see the file
        settings = {}
    chosen = {table: settings[table] for table in _TABLES if isinstance(settings.get(table), dict)}
    return _flat(chosen, user.parent)


def _flat(table: Mapping[str, Any], folder: Path, above: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of TOML and their values, without secrets; relative paths become absolute ones below `folder`."""
    for name, value in table.items():
        key = f"{above}{json.dumps(name)}"
        if _SECRET.search(name) or (isinstance(value, str) and _USER_INFO.search(value)):
            continue
        if isinstance(value, dict):
            yield from _flat(value, folder, f"{key}.")
        elif isinstance(value, (bool, int, str)) or _is_texts(value):
            yield key, str(folder / value) if name in _PATHS and isinstance(value, str) else value


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
