"""Where requirements that are only sdists are built: in a sandbox, with a cache of uv that nothing else is built from.

uv's own cache has what other projects are made of. So each set of requirements has a cache of its own, which is kept:
later builds with the same requirements find there what was built, also without a network.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from crosswheel.system.locks import mark_used

_SETTINGS = "uv.toml"


def builds_of(cache: Path) -> Path:
    """The folder with a cache of uv for each set of requirements."""
    return cache / "requirements"


def open_builds(cache: Path, requirements: Iterable[str]) -> Path:
    """The cache of uv for a set of requirements, made if it is missing."""
    folder = builds_of(cache) / hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:32]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mark_used(folder)
    return folder


def building_environ(bare: Mapping[str, str], folder: Path, kept: Path, callers: Mapping[str, str]) -> dict[str, str]:
    """Uv's variables for such a build in `folder`, with the cache `kept`; the caller's settings of uv are copied there.

    They are left out if they have an address with a password. `bare` are the variables without passwords.
    """
    config = Path(
        callers.get("XDG_CONFIG_HOME") or Path(callers.get("HOME", "/nonexistent"), ".config"), "uv", _SETTINGS
    )
    try:
        text = config.read_text("utf-8")
    except (OSError, ValueError):
        text = ""
    (folder / _SETTINGS).write_text("" if "@" in text else text, "utf-8")
    own = {"HOME": folder / "home", "TMPDIR": folder / "tmp"}
    for place in own.values():
        place.mkdir(mode=0o700)
    paths = {name: str(path) for name, path in {**own, "UV_CACHE_DIR": kept}.items()}
    return {**bare, **paths, "UV_LINK_MODE": "copy"}


def resolving_environ(environ: Mapping[str, str], folder: Path, kept: Path) -> dict[str, str]:
    """Uv's variables for a resolution that may build packages: a HOME in `folder` with what uv reads, `kept` as cache.

    That is the user's uv.toml, and the logins for indexes, if `environ` leads to any.
    """
    home, theirs = folder / "home", Path(environ.get("HOME", "/nonexistent"))
    config = Path(environ.get("XDG_CONFIG_HOME") or theirs / ".config")
    data = Path(environ.get("XDG_DATA_HOME") or theirs / ".local/share")
    wanted = {
        config / "uv" / _SETTINGS: ".config/uv/uv.toml",
        theirs / ".netrc": ".netrc",
        data / "uv/credentials": ".local/share/uv/credentials",
    }
    (folder / "tmp").mkdir(mode=0o700)
    for source, name in wanted.items():
        (home / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with suppress(OSError):
            shutil.copytree(source, home / name) if source.is_dir() else shutil.copyfile(source, home / name)
    own = {"HOME": str(home), "TMPDIR": str(folder / "tmp"), "UV_CACHE_DIR": str(kept), "UV_LINK_MODE": "copy"}
    return {**{name: value for name, value in environ.items() if not name.startswith("XDG_")}, **own}


def named_by_uv(environ: Mapping[str, str]) -> Iterator[Path]:
    """The files and folders that uv's variables name, such as UV_FIND_LINKS."""
    for name, value in environ.items():
        if name.startswith("UV_"):
            words = (word.removeprefix("file://") for word in re.split(r"[ ,]", value))
            yield from (Path(word) for word in words if word.startswith("/"))
