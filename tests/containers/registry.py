"""A real registry (Debian's docker-registry) on the loopback interface."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers import daemon
from containers.program import find_program

_PROGRAM = "docker-registry"
_PATIENCE = 60.0

# Port 0: the kernel picks one that is free, and the log tells which.
_CONFIG = """\
version: 0.1
log: {{level: info, formatter: json}}
storage:
  filesystem: {{rootdirectory: '{storage}'}}
  delete: {{enabled: true}}
http: {{addr: '127.0.0.1:0'}}
"""
_LOGIN = "auth: {{htpasswd: {{realm: tests, path: '{htpasswd}'}}}}\n"
_LISTENING = re.compile(r'"msg":"listening on (127\.0\.0\.1:\d+)"')


class RegistryUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine cannot run a registry, and why: a reason to skip."""


@contextmanager
def running_registry(storage: Path, folder: Path, *, htpasswd: str = "") -> Iterator[str]:
    """Serve what is in `storage`; its settings and log go to `folder`. Gives ``127.0.0.1:PORT``.

    `htpasswd` is a line of USER:HASH (bcrypt), for a registry that asks for a login.
    Engines talk to it without TLS: they trust whatever is on loopback.
    """
    program = find_program(_PROGRAM)
    if program is None:
        raise RegistryUnavailable(f"{_PROGRAM} is not installed")
    for path in (storage, folder):
        path.mkdir(parents=True, exist_ok=True)
    config, log = folder / "registry.yml", folder / "registry.log"
    login = folder / "htpasswd"
    login.write_text(htpasswd)
    config.write_text(_CONFIG.format(storage=storage) + (_LOGIN.format(htpasswd=login) if htpasswd else ""))
    with daemon.running([program, "serve", str(config)], log, lambda: _address(log), patience=_PATIENCE) as address:
        yield address


def _address(log: Path) -> str | None:
    found = _LISTENING.search(log.read_text("utf-8"))
    return found[1] if found else None
