"""Images as an engine and registries really give them."""

from __future__ import annotations

import io
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
import requests

from containers.engine import Engine
from crosswheel.commands import run_verb
from crosswheel.containers.docker_host import PODMAN, DockerHost, connect
from crosswheel.containers.images import Image, ensure_image, find_image
from crosswheel.errors import EngineUnavailable, ImageUnavailable
from crosswheel.model.job import Chore, Event, Note, Transfer
from crosswheel.model.targets import Architecture, parse_architecture

pytestmark = pytest.mark.containers

ARM, X86 = parse_architecture("aarch64"), parse_architecture("x86_64")
# In the registry these stay from run to run.
OURS = "test-images"
TIMEOUT = 60


@pytest.fixture(scope="module")
def client(each_engine: Engine) -> docker.DockerClient:
    return each_engine.client


@pytest.fixture(scope="module")
def host(each_engine: Engine) -> Iterator[DockerHost]:
    host = connect(each_engine.address, os.environ)
    with closing(host.client):
        yield host


@pytest.fixture(autouse=True)
def forgotten(client: docker.DockerClient, registry: str, busybox_x86_64: str, busybox_aarch64: str) -> Iterator[None]:
    """Each test begins and ends on an engine that has none of its images."""
    digests = {reference.partition("@")[2] for reference in (busybox_x86_64, busybox_aarch64)}

    def forget() -> None:
        for image in client.images.list(all=True):
            names = [*image.tags, *image.attrs["RepoDigests"]]
            if any(f"/{OURS}/" in name or name.partition("@")[2] in digests for name in names):
                client.images.remove(str(image.id), force=True)

    forget()
    yield
    forget()


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long would have been waited for registries that will not come back."""
    seconds: list[float] = []
    monkeypatch.setattr(time, "sleep", seconds.append)
    return seconds


def ensure(
    host: DockerHost,
    reference: str,
    arch: Architecture,
    mirrors: Sequence[str] = (),
    *,
    offline: bool = False,
    told: list[Event] | None = None,
) -> Image:
    listener = (told if told is not None else []).append
    return ensure_image(host, reference, arch, mirrors=mirrors, offline=offline, listener=listener)


def refusal(host: DockerHost, reference: str, arch: Architecture, mirrors: Sequence[str] = (), **how: Any) -> str:
    """The error as it is shown."""
    with pytest.raises(ImageUnavailable) as caught:
        ensure(host, reference, arch, mirrors, **how)
    return str(caught.value)


def push(client: docker.DockerClient, source: str, name: str) -> None:
    """Put an image into the registry under a tag, and forget it."""
    image = client.images.pull(source)
    assert image.tag(*name.rsplit(":", 1))
    for step in client.images.push(name, stream=True, decode=True):
        assert "error" not in step
    client.images.remove(str(image.id), force=True)


def manifest_digest(name: str) -> str:
    """What the registry itself says that a tag means."""
    address, _, rest = name.partition("/")
    repository, _, tag = rest.rpartition(":")
    accept = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    answer = requests.head(f"http://{address}/v2/{repository}/manifests/{tag}", headers=accept, timeout=TIMEOUT)
    return answer.headers["Docker-Content-Digest"]


@pytest.fixture(scope="module")
def nobody() -> Iterator[str]:
    """An address where no registry answers: bound, so that nobody else gets it, and not listened at."""
    with closing(socket.socket()) as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


@dataclass
class Moody:
    """A registry that answers the first requests for manifests with these, and else passes on what another says."""

    address: str
    statuses: list[int] = field(default_factory=list)


@contextmanager
def moody(behind: str) -> Iterator[Moody]:
    state = Moody("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if state.statuses and "/manifests/" in self.path:
                self.answer(state.statuses.pop(0), {}, b"")
                return
            headers = {"Accept": ", ".join(self.headers.get_all("Accept") or ["*/*"])}
            passed_on = requests.request(self.command, f"http://{behind}{self.path}", headers=headers, timeout=TIMEOUT)
            names = ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version", "Content-Length")
            kept = {name: passed_on.headers[name] for name in names if name in passed_on.headers}
            self.answer(passed_on.status_code, kept, passed_on.content)

        do_HEAD = do_GET  # noqa: N815 - its name there

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.address = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# ---- what is there, and what is pulled ------------------------------------------------------------------------


def test_an_image_is_pulled_by_digest_once(host: DockerHost, busybox_aarch64: str) -> None:
    assert find_image(host, busybox_aarch64, ARM) is None
    told: list[Event] = []
    image = ensure(host, busybox_aarch64, ARM, told=told)
    assert image.reference == busybox_aarch64
    assert image.digest == busybox_aarch64.partition("@")[2]
    assert image.arch == ARM
    assert image.environ["PATH"] == "/bin"
    assert image.entrypoint == ()
    assert image.size > 1_000_000
    *_, fetched, unpacking, _ = told
    assert isinstance(fetched, Transfer)
    assert fetched.what == busybox_aarch64
    assert fetched.done == fetched.total
    assert unpacking == Chore(f"unpacking {busybox_aarch64}")
    again: list[Event] = []
    assert ensure(host, busybox_aarch64, ARM, told=again) == image
    assert find_image(host, busybox_aarch64, ARM) == image
    assert again == []


def test_a_tag_beside_a_digest_means_nothing(host: DockerHost, busybox_aarch64: str) -> None:
    repository, _, digest = busybox_aarch64.partition("@")
    image = ensure(host, f"{repository}:no-such-tag@{digest}", ARM)
    assert image.digest == digest


def test_an_image_is_pulled_by_tag_and_its_digest_is_told(
    host: DockerHost, client: docker.DockerClient, registry: str, busybox_aarch64: str
) -> None:
    name = f"{registry}/{OURS}/by-tag:1"
    push(client, busybox_aarch64, name)
    image = ensure(host, name, ARM)
    assert image.digest == manifest_digest(name)
    by_digest = f"{name.removesuffix(':1')}@{image.digest}"
    assert find_image(host, by_digest, ARM) == Image(**{**vars(image), "reference": by_digest})


def test_the_id_of_an_image_on_the_engine_is_enough(host: DockerHost, busybox_aarch64: str) -> None:
    image = ensure(host, busybox_aarch64, ARM)
    found = ensure(host, image.id, ARM)
    assert (found.id, found.digest) == (image.id, image.digest)
    assert refusal(host, image.id, X86) == (
        f"the engine at {host.address} has {image.id} only for aarch64, not for x86_64\n"
        "  try: docker images --no-trunc, with the same DOCKER_HOST"
    )


def test_an_id_that_the_engine_does_not_know_is_not_looked_for_elsewhere(host: DockerHost) -> None:
    unknown = f"sha256:{'0' * 64}"
    assert refusal(host, unknown, ARM).startswith(f"the engine at {host.address} does not have {unknown}\n")


# ---- another architecture -------------------------------------------------------------------------------------


def test_an_image_of_another_architecture_is_never_used(
    host: DockerHost, client: docker.DockerClient, registry: str, busybox_x86_64: str
) -> None:
    name = f"{registry}/{OURS}/for-x86_64:1"
    push(client, busybox_x86_64, name)
    wanted = (
        f"{name} is not available for aarch64: the image of that name on {registry} is for x86_64\n"
        "  try: --image REPOSITORY:TAG, with an image that exists"
    )
    assert refusal(host, name, ARM) == wanted
    assert find_image(host, name, ARM) is None
    assert refusal(host, name, ARM) == wanted


def test_nor_is_one_with_the_right_digest(host: DockerHost, busybox_x86_64: str) -> None:
    assert "is for x86_64\n" in refusal(host, busybox_x86_64, ARM)


def test_a_tag_that_means_another_architecture_here_is_pulled_again(
    host: DockerHost, client: docker.DockerClient, registry: str, busybox_x86_64: str, busybox_aarch64: str
) -> None:
    name = f"{registry}/{OURS}/both:1"
    push(client, busybox_aarch64, name)
    assert client.images.pull(busybox_x86_64).tag(*name.rsplit(":", 1))
    assert find_image(host, name, ARM) is None
    image = ensure(host, name, ARM)
    assert (image.arch, image.digest) == (ARM, manifest_digest(name))


# ---- registries that do not give it ---------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "what"), [(":no-such-tag", "tag"), (f"@sha256:{'0' * 64}", "digest")])
def test_what_the_registry_does_not_have_is_told_and_not_asked_for_again(
    host: DockerHost, naps: list[float], busybox_aarch64: str, ending: str, what: str
) -> None:
    repository = busybox_aarch64.partition("@")[0]
    address, _, path = repository.partition("/")
    assert refusal(host, f"{repository}{ending}", ARM) == (
        f"{repository}{ending} is not available for aarch64: {address} has no such {what} in {path}\n"
        "  try: --image REPOSITORY:TAG, with an image that exists"
    )
    assert naps == []


def test_a_registry_that_is_down_is_asked_again_a_few_times(host: DockerHost, nobody: str, naps: list[float]) -> None:
    name = f"{nobody}/{OURS}/x:1"
    text = refusal(host, name, ARM)
    assert text.startswith(f"{name} is not available for aarch64: {nobody} did not deliver it: ")
    assert "connection refused" in text
    assert text.endswith(f"\n  try: docker pull {name}, or --mirrors HOST")
    assert naps == [0.5, 1.0]


@pytest.fixture
def trusting(host: DockerHost) -> None:
    """Podman's registries.conf, which is read when it starts, names the registries that have no TLS."""
    if host.product == PODMAN:
        pytest.skip("podman trusts no registry without TLS on a port that was not known when it started")


@pytest.mark.usefixtures("trusting")
def test_a_registry_that_is_overworked_gives_it_in_the_end(
    host: DockerHost, registry: str, naps: list[float], busybox_aarch64: str
) -> None:
    path = busybox_aarch64.partition("/")[2]
    with moody(registry) as registry_in_front:
        registry_in_front.statuses = [503, 503]
        image = ensure(host, f"{registry_in_front.address}/{path}", ARM)
    assert image.digest == busybox_aarch64.partition("@")[2]
    assert registry_in_front.statuses == []
    assert naps[:1] == [0.5]  # engines ask twice themselves, or once


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("status", [401, 403])
def test_a_registry_that_refuses_wants_a_login(host: DockerHost, registry: str, naps: list[float], status: int) -> None:
    with moody(registry) as strict:
        strict.statuses = [status] * 20
        text = refusal(host, f"{strict.address}/{OURS}/x:1", ARM)
    assert " refuses: " in text
    assert text.endswith(f"\n  try: docker login {strict.address}")
    assert naps == []


def test_an_engine_that_is_gone_is_told(host: DockerHost, tmp_path: Path, busybox_aarch64: str) -> None:
    with closing(docker.DockerClient(base_url=f"unix://{tmp_path}/docker.sock", version="1.41")) as client:
        gone = DockerHost(client, client.api.base_url, host.version, host.machine, host.cpus, host.memory)
        with pytest.raises(EngineUnavailable, match="no Docker Engine answers there"):
            ensure(gone, busybox_aarch64, ARM)


# ---- mirrors --------------------------------------------------------------------------------------------------


def test_mirrors_are_asked_in_their_order(host: DockerHost, registry: str, nobody: str, busybox_aarch64: str) -> None:
    elsewhere = busybox_aarch64.replace(registry, "registry.invalid")
    told: list[Event] = []
    image = ensure(host, elsewhere, ARM, [f"{nobody}/first", registry], told=told)
    assert image.reference == elsewhere
    assert image.digest == elsewhere.partition("@")[2]
    (note,) = (event for event in told if isinstance(event, Note))
    path = elsewhere.partition("/")[2]
    assert note.text.startswith(f"{nobody}/first/{path}: {nobody} did not deliver it: ")
    assert note.text.endswith("; trying the next registry")


def test_what_a_mirror_gave_is_found_again_by_its_digest(host: DockerHost, registry: str, busybox_aarch64: str) -> None:
    elsewhere = busybox_aarch64.replace(registry, "registry.invalid")
    image = ensure(host, elsewhere, ARM, [registry])
    assert find_image(host, elsewhere, ARM) == image
    assert find_image(host, elsewhere, X86) is None


def test_a_tag_that_a_mirror_gave_is_found_again_under_the_mirrors_name(
    host: DockerHost, client: docker.DockerClient, registry: str, busybox_aarch64: str
) -> None:
    push(client, busybox_aarch64, f"{registry}/{OURS}/mirrored:1")
    name = f"registry.invalid/{OURS}/mirrored:1"
    image = ensure(host, name, ARM, [registry])
    assert image.digest == manifest_digest(f"{registry}/{OURS}/mirrored:1")
    assert ensure(host, name, ARM, [registry], offline=True) == image
    assert find_image(host, name, ARM) is None


def test_a_mirror_with_another_architecture_is_passed_over(
    host: DockerHost, client: docker.DockerClient, registry: str, busybox_x86_64: str, busybox_aarch64: str
) -> None:
    push(client, busybox_x86_64, f"{registry}/{OURS}/mirror/{OURS}/x:1")
    push(client, busybox_aarch64, f"{registry}/{OURS}/x:1")
    image = ensure(host, f"{registry}/{OURS}/x:1", ARM, [f"{registry}/{OURS}/mirror"])
    assert image.arch == ARM


def test_where_no_mirror_has_it_every_reason_is_told(host: DockerHost, registry: str, nobody: str) -> None:
    first, *reasons = refusal(host, f"{nobody}/{OURS}/nothing:1", ARM, [registry]).splitlines()
    assert first == f"{nobody}/{OURS}/nothing:1 is not available for aarch64:"
    assert reasons[0] == f"  {registry}/{OURS}/nothing:1: {registry} has no such tag in {OURS}/nothing"
    assert reasons[1].startswith(f"  {nobody}/{OURS}/nothing:1: {nobody} did not deliver it: ")
    assert reasons[2] == f"  try: docker pull {nobody}/{OURS}/nothing:1, or --mirrors HOST"


# ---- offline --------------------------------------------------------------------------------------------------


def test_offline_there_is_what_there_is(host: DockerHost, busybox_aarch64: str) -> None:
    hint = "\n  try: run the same command once without --offline"
    assert refusal(host, busybox_aarch64, ARM, offline=True) == (
        f"the engine at {host.address} does not have {busybox_aarch64}, and --offline forbids pulling{hint}"
    )
    assert find_image(host, busybox_aarch64, ARM) is None
    image = ensure(host, busybox_aarch64, ARM)
    assert ensure(host, busybox_aarch64, ARM, offline=True) == image
    assert refusal(host, busybox_aarch64, X86, offline=True) == (
        f"the engine at {host.address} has {busybox_aarch64} only for aarch64, not for x86_64, "
        f"and --offline forbids pulling{hint}"
    )


# ---- the verb -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pulling:
    """`crosswheel pull` in a project of its own."""

    host: DockerHost
    project: Path

    def configure(self, **images: str) -> None:
        rows = "".join(f'{platform} = "{reference}"\n' for platform, reference in images.items())
        (self.project / "pyproject.toml").write_text(f"[tool.crosswheel.images]\n{rows}")

    def run(self, **options: Any) -> tuple[int, str, list[dict[str, Any]]]:
        """Its exit code, what it printed, and the images of its JSON."""
        stream, path = io.StringIO(), self.project / "pull.json"
        given = {"docker-host": self.host.address, "json": path.name}
        given.update({name.replace("_", "-"): value for name, value in options.items()})
        code = run_verb("pull", self.project, given, stream)
        document = json.loads(path.read_text("utf-8"))
        assert (document["schema"], document["kind"]) == (1, "pull")
        assert document["docker_host"] == self.host.address
        return code, stream.getvalue(), document["images"]


@pytest.fixture
def pulling(host: DockerHost, tmp_path: Path) -> Pulling:
    return Pulling(host, tmp_path)


def test_pull_shows_what_is_missing_then_brings_it_then_finds_it(
    pulling: Pulling, busybox_x86_64: str, busybox_aarch64: str
) -> None:
    pulling.configure(manylinux2014_aarch64=busybox_aarch64, manylinux2014_x86_64=busybox_x86_64)
    arch = ["aarch64", "x86_64"]
    before = {image.id for image in pulling.host.client.images.list(all=True)}
    code, text, images = pulling.run(arch=arch, dry_run=True)
    assert code == 0
    assert text.splitlines() == [
        f"- manylinux2014_aarch64  missing              {busybox_aarch64}",
        f"- manylinux2014_x86_64   missing              {busybox_x86_64}",
    ]
    assert [image["state"] for image in images] == ["missing", "missing"]
    assert {image.id for image in pulling.host.client.images.list(all=True)} <= before
    code, text, images = pulling.run(arch=arch)
    assert code == 0
    assert [image["state"] for image in images] == ["pulled", "pulled"]
    assert [image["arch"] for image in images] == arch
    assert [image["digest"] for image in images] == [
        reference.partition("@")[2] for reference in (busybox_aarch64, busybox_x86_64)
    ]
    assert f"fetching {busybox_aarch64}" in text
    assert "✔ manylinux2014_aarch64  pulled " in text
    code, text, again = pulling.run(arch=arch, offline=True)
    assert code == 0
    assert again == [{**image, "state": "there"} for image in images]
    assert "fetching" not in text


def test_one_that_cannot_be_had_does_not_keep_the_others_away(
    pulling: Pulling, registry: str, busybox_x86_64: str
) -> None:
    name = f"{registry}/{OURS}/nothing:1"
    pulling.configure(manylinux2014_aarch64=name, manylinux2014_x86_64=busybox_x86_64)
    code, text, (missing, unpinned, pulled) = pulling.run(arch=["aarch64", "riscv64", "x86_64"])
    assert code == ImageUnavailable.exit_code
    assert missing["state"] == unpinned["state"] == "failed"
    assert missing["error"] == {
        "kind": "ImageUnavailable",
        "exit_code": 14,
        "message": f"{name} is not available for aarch64: {registry} has no such tag in {OURS}/nothing",
        "hint": "--image REPOSITORY:TAG, with an image that exists",
    }
    assert "no image of pypa is pinned for manylinux_2_31 on riscv64" in unpinned["error"]["message"]
    assert pulled["state"] == "pulled"
    assert f"✘ manylinux2014_aarch64   failed               {name}\n    {name} is not available for aarch64: " in text
    assert "\n    try: --policy manylinux_2_39, or --image REPOSITORY:TAG\n" in text


def test_an_image_that_is_asked_for_is_pulled_from_a_mirror_and_its_digest_is_told(
    pulling: Pulling, client: docker.DockerClient, registry: str, busybox_aarch64: str
) -> None:
    push(client, busybox_aarch64, f"{registry}/{OURS}/asked-for:1")
    code, text, (image,) = pulling.run(image=f"registry.invalid/{OURS}/asked-for:1", mirrors=[registry])
    assert code == 0
    assert image["digest"] == manifest_digest(f"{registry}/{OURS}/asked-for:1")
    assert text.endswith(f"  registry.invalid/{OURS}/asked-for:1  {image['digest']}\n")


def test_dockcross_builds_in_an_image_of_its_own_machine(pulling: Pulling, busybox_x86_64: str) -> None:
    (pulling.project / "pyproject.toml").write_text('[tool.crosswheel]\nengine = "dockcross"\n')
    code, _, (image,) = pulling.run(image=busybox_x86_64)
    assert (code, image["platform"], image["arch"]) == (0, "manylinux2014_aarch64", "x86_64")
    _, _, (image,) = pulling.run(dry_run=True)
    assert (image["reference"], image["state"]) == ("dockcross/manylinux2014-aarch64:latest", "missing")
