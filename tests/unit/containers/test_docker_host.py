"""Docker hosts that cannot be used, each with the words and the command for it."""

from __future__ import annotations

import errno
import json
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from crosswheel.containers import docker_host, podman_sockets
from crosswheel.containers.docker_host import DOCKER, PODMAN, DockerHost, connect, engine_errors
from crosswheel.errors import DiskFull, EngineUnavailable

NOBODY = 65534
INFO = {"ServerVersion": "20.10.24", "Architecture": "aarch64", "NCPU": 4, "MemTotal": 2**30}


@contextmanager
def serving(answers: Mapping[str, Any], asked: list[str], delays: Mapping[str, float]) -> Iterator[str]:
    """An engine that knows how to answer to these endpoints and to nothing else, on loopback.

    `delays` are the seconds before an answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            time.sleep(delays.get(self.path.rpartition("/")[2], 0))
            answer = answers.get(self.path.rpartition("/")[2])
            body = json.dumps({"message": "some trouble"} if answer is None else answer).encode()
            self.send_response(500 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            if "_ping" in answers:
                self.send_header("Api-Version", answers["_ping"])
            if "_libpod" in answers:
                self.send_header("Libpod-Api-Version", answers["_libpod"])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"tcp://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def engine() -> Iterator[Callable[..., str]]:
    with ExitStack() as stack:

        def start(
            api: str = "1.41",
            info: Mapping[str, Any] | None = INFO,
            asked: list[str] | None = None,
            delays: Mapping[str, float] | None = None,
            **more: Any,
        ) -> str:
            version = {"ApiVersion": api, "MinAPIVersion": "1.12"}
            answers = {"version": version, "info": info, **more}
            return stack.enter_context(serving(answers, [] if asked is None else asked, delays or {}))

        yield start


def refusal(address: str) -> str:
    """The error as it is shown."""
    with pytest.raises(EngineUnavailable) as caught:
        connect(address, os.environ)
    return str(caught.value)


def test_the_oldest_engine_that_serves(engine: Callable[..., str]) -> None:
    host = connect(engine("1.41"), os.environ)
    with closing(host.client):
        assert (host.version, host.machine, host.cpus, host.memory) == ("20.10.24", "aarch64", 4, 2**30)
        assert str(host.arch) == "aarch64"
        assert not host.is_local
        assert not host.rootless


def test_the_version_of_the_api_is_asked_without_those_of_all_programs(engine: Callable[..., str]) -> None:
    asked: list[str] = []
    host = connect(engine("1.41", asked=asked, _ping="1.47"), os.environ)
    with closing(host.client):
        assert asked == ["/_ping", "/v1.47/info"]


def test_another_runtime_is_another_engine(engine: Callable[..., str]) -> None:
    hosts = [connect(engine(info={**INFO, "DefaultRuntime": name}), os.environ) for name in ("runc", "runc", "crun")]
    for host in hosts:
        host.client.close()
    assert hosts[0].identity == hosts[1].identity != hosts[2].identity


def test_podman_is_known_by_its_header_and_not_by_an_id_that_is_new_each_time(engine: Callable[..., str]) -> None:
    hosts = [
        connect(engine(info={**INFO, "ID": answer}, _ping="1.41", **more), os.environ)
        for more in ({"_libpod": "4.3.1"}, {})
        for answer in ("one", "two")
    ]
    for host in hosts:
        host.client.close()
    assert [host.product for host in hosts] == [PODMAN, PODMAN, DOCKER, DOCKER]
    podman, again, docker, another = (host.identity for host in hosts)
    assert podman == again
    assert len({podman, docker, another}) == 3


@pytest.mark.parametrize("api", ["1.40", "1.24"])
def test_one_that_is_too_old(engine: Callable[..., str], api: str) -> None:
    address = engine(api, {**INFO, "ServerVersion": "19.03.15"})
    assert refusal(address) == (
        f"the Docker Engine at {address.replace('tcp', 'http')} is too old: 19.03.15 with API {api}\n"
        "  try: install Docker Engine 20.10 or newer"
    )


def test_one_in_trouble_is_quoted(engine: Callable[..., str]) -> None:
    address = engine(info=None)
    assert refusal(address).startswith(f"asking the Docker Engine {address}: some trouble")


def test_one_that_takes_calls_and_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docker_host, "_PATIENCE", 0.3)
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"tcp://127.0.0.1:{silent.getsockname()[1]}"
        assert refusal(address) == (
            f"asking the Docker Engine {address}: no answer\n  try: docker info, with the same DOCKER_HOST"
        )


def test_a_busy_one_that_answers_at_all_is_waited_for(
    engine: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_host, "_PATIENCE", 0.5)
    host = connect(engine(delays={"info": 1.0}, _ping="1.41"), os.environ)
    with closing(host.client):
        assert host.version == INFO["ServerVersion"]


def test_none_at_a_socket_that_is_not_there_and_none_at_a_port(tmp_path: Path) -> None:
    hint = "sudo systemctl start docker, or systemctl --user start podman.socket; or --docker-host ADDRESS"
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        for address in (f"unix://{tmp_path}/no.sock", f"tcp://127.0.0.1:{bound.getsockname()[1]}"):
            words = f"asking the Docker Engine {address}: no Docker Engine answers there\n  try: {hint}"
            assert refusal(address) == words


def test_a_socket_that_this_user_may_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody")
    path = tmp_path / "docker.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listening, closing(connectable()):
        listening.bind(str(path))
        listening.listen()
        path.chmod(0)
        user = os.geteuid()
        if user == 0:
            # What root may not do, nobody knows; an ordinary user it can be for a moment.
            os.seteuid(NOBODY)
        try:
            text = refusal(f"unix://{path}")
        finally:
            os.seteuid(user)
        assert stat.S_ISSOCK(path.stat().st_mode)
    assert text == (
        f"asking the Docker Engine unix://{path}: this user has no permission to use the Docker Engine\n"
        "  try: sudo usermod -aG docker somebody, and log in again; or set DOCKER_HOST to a rootless engine"
    )


def connectable() -> Any:
    """The library, all of it imported: another user may not read this one's files."""
    import docker

    return docker.DockerClient(base_url="tcp://127.0.0.1:1", version="1.41")


def test_no_such_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    text = refusal("faraway")
    assert "unknown docker context 'faraway'; known: default" in text
    assert text.endswith("\n  try: docker context ls")


@pytest.mark.parametrize("address", ["ssh://me@machine:port", "tcp://machine:port"])
def test_a_port_that_is_none(address: str) -> None:
    with pytest.raises(EngineUnavailable, match="the address of the Docker Engine is invalid: Port could not be"):
        connect(address, {})


def test_a_full_disk_here_is_not_an_engine_that_is_not_there() -> None:
    """Files go through this machine on their way into containers."""
    with pytest.raises(DiskFull, match="no space left: spool"), engine_errors("copying"):
        raise OSError(errno.ENOSPC, "No space left on device", "spool")


# ---- podman, where nothing names an engine ------------------------------------------------------------------------


def test_the_sockets_of_podman_are_the_users_then_roots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "podman" / "podman.sock"
    environ = {"XDG_RUNTIME_DIR": str(tmp_path)}
    monkeypatch.setattr(os, "access", lambda path, _: path in {own, Path("/run/podman/podman.sock")})
    assert [*podman_sockets.addresses(environ)] == [f"unix://{own}", "unix:///run/podman/podman.sock"]
    monkeypatch.setattr(os, "access", lambda path, _: path == Path(f"/run/user/{os.getuid()}/podman/podman.sock"))
    assert [*podman_sockets.addresses({})] == [f"unix:///run/user/{os.getuid()}/podman/podman.sock"]
    remote = "ssh://core@machine/run/user/1000/podman/podman.sock"
    assert [*podman_sockets.addresses({**environ, "CONTAINER_HOST": remote})] == [remote]


def test_the_owner_of_a_socket_tells_whether_podman_is_rootless(tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root gives files away")
    path = tmp_path / "podman.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(path))
        assert not podman_sockets.is_rootless(f"unix://{path}")
        os.chown(path, NOBODY, NOBODY)
        assert podman_sockets.is_rootless(f"unix://{path}")
    assert podman_sockets.is_rootless("ssh://core@machine/run/user/1000/podman/podman.sock")
    assert not podman_sockets.is_rootless("ssh://root@machine/run/podman/podman.sock")
    assert not podman_sockets.is_rootless("tcp://machine:8080")


@pytest.fixture
def no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment that names no engine, on a machine where Docker does not answer."""
    connected = docker_host._connect

    def by_name(wanted: str, environ: Mapping[str, str]) -> DockerHost:
        if wanted or "DOCKER_HOST" in environ:
            return connected(wanted, environ)
        raise EngineUnavailable("no Docker Engine answers there")

    monkeypatch.setattr(docker_host, "_connect", by_name)
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    return {"DOCKER_CONFIG": str(tmp_path)}


def test_podman_is_found_where_docker_does_not_answer(
    engine: Callable[..., str], no_docker: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = engine(info=INFO, _ping="1.41", _libpod="4.3.1")
    silent = "unix:///nowhere/podman.sock"
    monkeypatch.setattr(podman_sockets, "addresses", lambda _: iter([silent, address]))
    found = connect("", no_docker)
    with closing(found.client):
        assert (found.product, found.address) == (PODMAN, address.replace("tcp", "http"))


def test_whoever_names_an_engine_gets_no_other(
    engine: Callable[..., str], no_docker: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = engine(info=INFO, _ping="1.41", _libpod="4.3.1")
    monkeypatch.setattr(podman_sockets, "addresses", lambda _: iter([address]))
    for wanted, environ in (("unix:///nowhere", {}), ("", {"DOCKER_HOST": "unix:///nowhere"})):
        with pytest.raises(EngineUnavailable, match="no Docker Engine answers there"):
            connect(wanted, {**no_docker, **environ})
