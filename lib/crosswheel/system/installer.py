"""Installs build requirements with uv, with the user's settings only.

uv reads uv.toml and pyproject.toml in its working folder and all folders above, which may belong to others. So it
works in our folder with an empty uv.toml, which ends its search. An sdist among the requirements is built, which runs
untrusted code: the build gets a HOME with only uv's own folders, and no password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from crosswheel.errors import BuildFailed, IndexUnreachable
from crosswheel.system.process import CommandFailed

_SETTINGS = "uv.toml"
# uv's own folders: the variable that may name each, and its default below HOME.
_PLACES = {"XDG_CONFIG_HOME": ".config", "XDG_CACHE_HOME": ".cache", "XDG_DATA_HOME": ".local/share"}
# Variables that contain or lead to passwords. Addresses are handled separately.
_SECRET = re.compile(r"NETRC|UV_CREDENTIALS_DIR|UV_.*(USERNAME|PASSWORD|TOKEN|SECRET|KEY).*")
# uv's messages for an index that requires a login.
_NO_LOGIN = re.compile(r"\b(401|403)\b|Unauthorized|Forbidden")
# uv's messages for a requirement without a wheel while builds are disabled.
_ONLY_SDIST = re.compile(r"no usable wheels|no wheels|building from source is disabled")

# uv's messages for an unreachable index, and for a disabled network.
_NETWORK = re.compile(r"error sending request|dns error|Failed to fetch|network was disabled|Connection refused")


def uv_home(cache: Path, environ: Mapping[str, str]) -> Path:
    """A working folder and HOME for uv, with links to the user's settings and caches of uv."""
    home = cache / "uv"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    settings = home / _SETTINGS
    if settings.is_symlink() or not settings.is_file() or settings.stat().st_size:
        settings.unlink(missing_ok=True)
        settings.touch()
    for variable, below in _PLACES.items():
        theirs = Path(environ.get(variable) or Path(environ.get("HOME", "/nonexistent"), below), "uv")
        ours = home / below / "uv"
        if ours.is_symlink() and ours.readlink() == theirs:
            continue
        ours.parent.mkdir(parents=True, exist_ok=True)
        # Other runs may do the same at the same time.
        with suppress(FileNotFoundError):
            ours.unlink()
        with suppress(OSError):
            if below != ".config":
                theirs.mkdir(parents=True, exist_ok=True)
            ours.symlink_to(theirs)
    return home


def without_secrets(environ: Mapping[str, str]) -> dict[str, str]:
    """Uv's variables without passwords, including those in addresses of indexes."""
    return {name: _bare(name, value) for name, value in environ.items() if not _SECRET.fullmatch(name)}


def install(
    run: Callable[[Sequence[str], Mapping[str, str]], object],
    command: Sequence[str],
    environ: Mapping[str, str],
    bare: Mapping[str, str],
    build: Callable[[Sequence[str], Mapping[str, str]], object] | None = None,
) -> None:
    """Run ``uv pip install``. If `environ` contains secrets, or `build` is given, only wheels are installed by `run`.

    If some requirements are only sdists, all are installed with `bare`, which builds them; by `build`, if it is given,
    which runs a command where it sees little of this machine. Raises like `run`, and BuildFailed if the index requires
    a password for them.
    """
    if environ == bare and build is None:
        run(command, environ)
        return
    *uv_pip, verb = command[:3]
    try:
        run([*uv_pip, verb, "--only-binary", ":all:", *command[3:]], environ)
    except CommandFailed as error:
        if not _ONLY_SDIST.search(error.output):
            raise
        _build_without_secrets(build or run, command, bare)


def unreachable_index(error: CommandFailed, *, offline: bool = False) -> IndexUnreachable | None:
    """The error if uv failed because the package index did not answer, otherwise None."""
    if Path(error.argv[0]).name != "uv" or not _NETWORK.search(error.output):
        return None
    if offline:
        text = "requirements are not in uv's cache, and --offline forbids downloading them"
        return IndexUnreachable(text, hint="run the same command once without --offline")
    text = "requirements could not be downloaded: the package index did not answer"
    return IndexUnreachable(text, hint="pip config list, to check the index")


def _build_without_secrets(
    run: Callable[[Sequence[str], Mapping[str, str]], object], command: Sequence[str], bare: Mapping[str, str]
) -> None:
    try:
        run(command, bare)
    except CommandFailed as error:
        if not _NO_LOGIN.search(error.output):
            raise
        raise BuildFailed(
            "some requirements are only sdists, which are built without passwords, but the index requires one",
            hint="pip wheel REQUIREMENT -w FOLDER, for each of them; then export UV_FIND_LINKS=FOLDER",
        ) from error


def _bare(name: str, value: str) -> str:
    if not (name.startswith("UV_") and "@" in value):
        return value
    # Addresses are separated by spaces or commas; UV_INDEX may contain NAME=ADDRESS.
    return "".join(part if part in {" ", ","} else _bare_address(part) for part in re.split(r"([ ,])", value))


def _bare_address(text: str) -> str:
    name, found, address = text.partition("=") if re.match(r"[\w.-]+=\w+://", text) else ("", "", text)
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    return name + found + urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
