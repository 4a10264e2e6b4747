"""Reads the settings of the caller's own pip: indexes, proxy and certificates."""

from __future__ import annotations

import ast
import json
import re
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crosswheel.errors import UsageError
from crosswheel.system.addresses import is_remote, parse_address
from crosswheel.system.memo import Answers
from crosswheel.system.process import CommandFailed, Processes
from crosswheel.system.trust import Trust, named_authorities

_FORGETFUL = Answers()

# Variables that decide where pip searches for its files.
_PIP_SEES = ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "VIRTUAL_ENV", "PIP_CONFIG_FILE")

# pip's variables of the settings that are read here. pip itself is asked without them: its answer about its files can
# then be kept although a variable has a password.
_VARIABLES = {
    f"PIP_{name.upper().replace('-', '_')}": name
    for name in ("index-url", "extra-index-url", "find-links", "proxy", "cert", "client-cert")
}

# Other variables with addresses, which uv and requests read themselves.
_UV_ADDRESSES = ("UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")

# Prints pip's settings, the files that it would read, and a file that changes with pip's version. An old pip without
# the second command prints the first.
_ASK_PIP = r"""
import pip, runpy, sys
for verb in ("list", "debug"):
    sys.argv[1:] = ["config", verb]
    try:
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    except SystemExit as ended:
        if ended.code and verb == "list":
            raise
    sys.stdout.write("\0")
    sys.stdout.flush()
print(pip.__file__)
"""


@dataclass(frozen=True)
class PipSettings:
    """The package sources in pip.conf and PIP_* variables."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    cert: str = ""
    client_cert: str = ""

    @property
    def trust(self) -> Trust:
        return Trust(self.cert, self.client_cert)

    @property
    def remote(self) -> PipSettings:
        """The settings that are valid on another machine or in a container: without folders and files."""
        return PipSettings(
            index_url=" ".join(filter(is_remote, (self.index_url,))),
            extra_index_urls=tuple(filter(is_remote, self.extra_index_urls)),
            find_links=tuple(filter(is_remote, self.find_links)),
        )

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders of this machine in find-links."""
        words = (word.removeprefix("file://") for word in self.find_links if not is_remote(word))
        return tuple(path for path in map(Path, words) if path.is_dir())

    @property
    def uv_environ(self) -> dict[str, str]:
        """The settings as variables of uv; all indexes are searched together, as in pip."""
        certificates = "SSL_CERT_DIR" if self.cert and Path(self.cert).is_dir() else "SSL_CERT_FILE"
        words = {
            "UV_DEFAULT_INDEX": self.index_url,
            "UV_INDEX": " ".join(self.extra_index_urls),
            "UV_FIND_LINKS": ",".join(filter(_is_there, self.find_links)),
            certificates: self.cert,
            "SSL_CLIENT_CERT": self.client_cert,
            "UV_INDEX_STRATEGY": "unsafe-best-match" if self.extra_index_urls else "",
        }
        return {name: value for name, value in words.items() if value}


def read_pip_settings(processes: Processes, environ: Mapping[str, str], answers: Answers = _FORGETFUL) -> PipSettings:
    """Read the settings with pip itself, which knows its files and their order; its variables win over its files.

    Certificates also come from variables for all programs. Raises UsageError for an address, in these settings or in
    the environment, that programs would parse differently.
    """
    for name in filter(environ.get, _UV_ADDRESSES):
        _parsed((re.sub(r"^[\w.-]+=(?=https?://)", "", word) for word in environ[name].split()), name)
    for name in filter(environ.get, _PROXIES):
        _parse_proxy(environ[name], name)
    text = _ask_pip(processes, environ, answers)
    merged: dict[str, str] = {}
    for section in ("global", "install"):  # in pip, the second wins
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(f"{section}."):
                merged[name.removeprefix(f"{section}.")] = str(ast.literal_eval(value))
    merged |= {name: environ[variable] for variable, name in _VARIABLES.items() if environ.get(variable)}
    _parse_proxy(merged.get("proxy", ""), "proxy of pip")
    return PipSettings(
        # A single address may contain a space; lists of addresses are split at spaces.
        index_url=" ".join(_parsed([merged.get("index-url", "")], "index-url of pip")),
        extra_index_urls=_parsed(merged.get("extra-index-url", "").split(), "extra-index-url of pip"),
        find_links=_parsed(merged.get("find-links", "").split(), "find-links of pip"),
        cert=named_authorities([merged.get("cert", "")], environ),
        client_cert=merged.get("client-cert", ""),
    )


def _is_there(place: str) -> bool:
    """Whether uv can look there; it ends at a folder of find-links that is missing, which pip ignores."""
    return is_remote(place) or Path(place.removeprefix("file://")).exists()


def _parsed(words: Iterable[str], named: str) -> tuple[str, ...]:
    """Addresses quoted for all programs; folders unchanged."""
    return tuple(parse_address(word, named).whole if is_remote(word) else _local(word, named) for word in words)


def _local(word: str, named: str) -> str:
    if "@" in word and "://" not in word and not Path(word).exists():
        # The second half of an address that was split at a space.
        raise UsageError(f"{named} has an @ in a part that is no address and no folder", hint="write %20 for a space")
    return word


def _parse_proxy(text: str, named: str) -> None:
    """Parse the proxy's address, which may lack a scheme."""
    parse_address(text if "://" in text else f"http://{text}", named)


def _ask_pip(processes: Processes, environ: Mapping[str, str], answers: Answers) -> str:
    """The output of `pip config list`, cached until pip or the files that it reads change.

    Output with a password is not cached.
    """
    environ = {name: value for name, value in environ.items() if name in _PIP_SEES or not name.startswith("PIP_")}
    seen = {name: value for name, value in environ.items() if name in _PIP_SEES or name.startswith("PYTHON")}
    question = ("pip", sys.executable, _ASK_PIP, json.dumps(seen, sort_keys=True))
    if (known := answers.recall(*question)) is not None:
        return str(known)
    asked = time.time()
    try:
        # Without the current folder, which is not trusted, in the import path.
        said = processes.run([sys.executable, "-c", _ASK_PIP], env={**environ, "PYTHONSAFEPATH": "1"})
    except CommandFailed:
        return ""
    settings, told, itself = said.split("\0")
    files = re.findall(r"^  (/.*), exists: (?:True|False)$", told, re.MULTILINE)
    if files and "@" not in settings:
        answers.keep(settings, *question, asked=asked, rests_on=[*files, itself.strip()])
    return settings
