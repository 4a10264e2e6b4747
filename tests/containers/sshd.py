"""An OpenSSH server on loopback, and the ssh that knows it: what stands between a user and a remote Docker host."""

from __future__ import annotations

import getpass
import shlex
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from containers import daemon
from containers.program import find_program, run_program

_PATIENCE = 10.0


class SshUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine cannot have a server, and why: a reason to skip."""


@contextmanager
def running_sshd(folder: Path) -> Iterator[tuple[str, Path]]:
    """Gives ``user@127.0.0.1:PORT`` and a folder for PATH whose ssh has the key and trusts the server."""
    server, client = find_program("sshd"), find_program("ssh")
    if server is None or client is None:
        raise SshUnavailable("OpenSSH's server and client are not both installed")
    for name in ("host", "user"):
        run_program("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    # It insists on a folder for processes without rights, which Debian makes when the service starts.
    Path("/run/sshd").mkdir(exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(_SERVER.format(folder=folder, port=port))
    (folder / "ssh_config").write_text(_CLIENT.format(folder=folder))
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {shlex.quote(client)} -F {folder}/ssh_config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)
    command = [server, "-D", "-e", "-f", str(folder / "sshd_config")]
    with daemon.running(command, folder / "log", lambda: _answers(port), patience=_PATIENCE):
        yield f"{getpass.getuser()}@127.0.0.1:{port}", folder / "bin"


def _answers(port: int) -> bool | None:
    with socket.socket() as probe:
        return True if probe.connect_ex(("127.0.0.1", port)) == 0 else None


_SERVER = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
"""
_CLIENT = """\
Host *
  IdentityFile {folder}/user
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking accept-new
"""
