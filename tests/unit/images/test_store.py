"""Images from a registry into the cache: what arrives, what is refused, and what a failure leaves."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from crosswheel.errors import CrosswheelError, DiskFull, ImageUnavailable, UsageError
from crosswheel.images import plain_http
from crosswheel.images.authorization import parameters
from crosswheel.images.plain_http import may_be_plain
from crosswheel.images.store import UnpackedImage, ensure_unpacked, find_unpacked
from crosswheel.model.job import Chore, Event, Note, Transfer, deaf
from crosswheel.model.targets import architectures
from layer_files import HandMade, Member, digest, gzipped, image, index, layer
from registry_server import RegistryServer, registry_server

AARCH64 = architectures()["aarch64"]
NOISE = random.Random(1).randbytes(300_000)  # noqa: S311 - what does not compress


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    with registry_server() as server:
        yield server


@pytest.fixture(autouse=True)
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    monkeypatch.setattr("urllib3.util.retry.time.sleep", lambda _seconds: None)


@pytest.fixture(autouse=True)
def no_login(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)


def hand_made(machine: str = "arm64", content: bytes = NOISE) -> HandMade:
    return image([gzipped(layer(Member("etc/x", b"1"))), gzipped(layer(Member("opt/noise", content)))], machine)


def ensure(cache: Path, reference: str, *, events: list[Event] | None = None, **how: Any) -> UnpackedImage:
    listener = deaf if events is None else events.append
    given: dict[str, Any] = {"mirrors": (), "offline": False, "environ": dict(os.environ), **how}
    return ensure_unpacked(cache, reference, AARCH64, listener=listener, **given)


def kept(cache: Path) -> list[str]:
    """What a failure leaves in the cache, apart from locks and files that begin a layer."""
    return sorted(
        str(path.relative_to(cache))
        for path in cache.rglob("*")
        if path.is_file() and path.suffix != ".lock" and "layers" not in path.parts
    )


# ---- what arrives ---------------------------------------------------------------------------------------------


def test_an_image_by_its_digest_is_there_and_asked_for_once(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    registry.add("pypa/x:1", made)
    reference = f"{registry.host}/pypa/x@{made.manifest}"
    assert find_unpacked(tmp_path, reference, AARCH64) is None
    events: list[Event] = []
    found = ensure(tmp_path, reference, events=events)
    assert (found.root / "opt/noise").read_bytes() == NOISE
    assert (found.digest, found.arch, dict(found.environ), found.entrypoint) == (
        made.manifest, AARCH64, {"PATH": "/bin"}, ("start",),
    )  # fmt: skip
    asked = len(registry.seen)
    assert ensure(tmp_path, reference, offline=True) == found == find_unpacked(tmp_path, reference, AARCH64)
    assert len(registry.seen) == asked
    transfers = [event for event in events if isinstance(event, Transfer)]
    total = sum(len(blob) for blob in made.blobs.values() if blob[:2] == b"\x1f\x8b")
    assert transfers[0] == events[0] == Transfer(reference, 0, total)  # the size comes first
    assert transfers[-1] == Transfer(reference, total, total)
    assert next(event.text for event in events if isinstance(event, Chore)) == f"unpacking {reference}"


def test_a_tag_and_an_index_lead_to_the_architecture(registry: RegistryServer, tmp_path: Path) -> None:
    arm = hand_made()
    reference = registry.add("x:1", index({"amd64": hand_made("amd64", b"other"), "arm64": arm}))
    found = ensure(tmp_path, reference)
    assert found.digest == arm.manifest
    assert (found.root / "opt/noise").read_bytes() == NOISE


def test_two_names_of_one_image_share_its_files(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    first = ensure(tmp_path, registry.add("x:1", made))
    second = ensure(tmp_path, registry.add("y:1", made))
    assert first.root == second.root


def test_a_connection_that_breaks_is_continued(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    registry.cuts = 3
    assert (ensure(tmp_path, reference).root / "opt/noise").read_bytes() == NOISE
    assert len(registry.sent("Range")) == 3


def test_a_registry_without_ranges_begins_again(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    registry.cuts, registry.ranges = 2, False
    assert (ensure(tmp_path, reference).root / "opt/noise").read_bytes() == NOISE


def test_a_registry_that_is_busy_is_asked_again(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    registry.errors = 2
    assert ensure(tmp_path, reference).root.is_dir()


def test_the_next_run_continues_what_one_has_left(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    registry.cuts = 99
    with pytest.raises(ImageUnavailable, match="it broke off"):
        ensure(tmp_path, reference)
    assert kept(tmp_path) == []
    registry.cuts = 0
    registry.seen.clear()
    assert (ensure(tmp_path, reference).root / "opt/noise").read_bytes() == NOISE
    assert len(registry.sent("Range")) == 1
    assert not [*tmp_path.glob("images/.*")]


def test_a_beginning_that_is_wrong_is_thrown_away(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", hand_made())
    registry.cuts = 99
    with pytest.raises(ImageUnavailable):
        ensure(tmp_path, reference)
    (begun,) = [path for path in tmp_path.rglob("layers/*") if path.stat().st_size > 1000]
    begun.write_bytes(b"x" * begun.stat().st_size)
    registry.cuts = 0
    assert (ensure(tmp_path, reference).root / "opt/noise").read_bytes() == NOISE


def test_mirrors_come_first_and_one_that_lacks_it_is_passed_over(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    events: list[Event] = []
    with registry_server() as empty, registry_server() as mirror:
        mirror.add("mirrored/x:1", made)
        found = ensure(tmp_path, "registry.invalid/x:1", mirrors=(empty.host, f"{mirror.host}/mirrored"), events=events)
    assert found.digest == made.manifest
    assert found.reference == "registry.invalid/x:1"
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[0] == f"{empty.host}/x:1: {empty.host} has no such tag in x; trying the next registry"


# ---- what is refused ------------------------------------------------------------------------------------------


def test_nothing_stays_of_a_layer_with_the_wrong_sha256(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    reference = registry.add("x:1", made)
    registry.wrong = {digest(blob) for blob in made.blobs.values() if len(blob) > 1000}
    with pytest.raises(ImageUnavailable, match=r"delivered \d+ bytes with sha256:\w+ instead of sha256:"):
        ensure(tmp_path, reference)
    assert kept(tmp_path) == []
    assert all(path.stat().st_size < 1000 for path in tmp_path.rglob("layers/*"))  # the other layer


@pytest.mark.parametrize("which", ["manifest", "configuration"])
def test_documents_are_checked(registry: RegistryServer, tmp_path: Path, which: str) -> None:
    made = hand_made()
    registry.add("x:1", made)
    configuration = next(name for name, blob in made.blobs.items() if blob.startswith(b"{"))
    registry.wrong = {made.manifest if which == "manifest" else configuration}
    with pytest.raises(ImageUnavailable, match="delivered sha256:"):
        ensure(tmp_path, f"{registry.host}/x@{made.manifest}")
    assert kept(tmp_path) == []


def test_a_layer_that_is_longer_than_stated_is_cut_off(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    longest = max(made.blobs, key=lambda name: len(made.blobs[name]))
    long = HandMade(made.manifest, made.documents, {**made.blobs, longest: made.blobs[longest] + b"x" * 1_000_000})
    with pytest.raises(ImageUnavailable, match=r"delivered \d+ bytes"):
        ensure(tmp_path, registry.add("x:1", long))


def test_an_image_for_another_machine_is_refused(registry: RegistryServer, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match="it is for x86_64, not for aarch64"):
        ensure(tmp_path, registry.add("x:1", hand_made("amd64")))
    with pytest.raises(ImageUnavailable, match="it has no image for aarch64, only for x86_64"):
        ensure(tmp_path, registry.add("y:1", index({"amd64": hand_made("amd64")})))
    assert kept(tmp_path) == []


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"schemaVersion": 1}', b"[" * 100_000, b'{"manifests": [1]}'])
def test_documents_that_make_no_sense_are_refused(registry: RegistryServer, tmp_path: Path, text: bytes) -> None:
    broken = HandMade(digest(text), {digest(text): ("application/json", text)})
    with pytest.raises(ImageUnavailable, match="has the wrong image"):
        ensure(tmp_path, registry.add("x:1", broken))


def test_a_hostile_layer_leaves_nothing(registry: RegistryServer, tmp_path: Path) -> None:
    reference = registry.add("x:1", image([layer(Member("a", b"1"), Member("../../b", b"1"))]))
    with pytest.raises(ImageUnavailable, match=r"cannot be unpacked: \.\./\.\./b is outside of the image"):
        ensure(tmp_path / "cache", reference)
    assert kept(tmp_path / "cache") == []
    assert not (tmp_path / "b").exists()


def test_without_a_network_it_is_known_at_once(registry: RegistryServer, tmp_path: Path) -> None:
    reference = "127.0.0.1:1/x:1"
    with pytest.raises(ImageUnavailable, match=r"the connection to 127\.0\.0\.1:1 failed: Connection refused"):
        ensure(tmp_path, reference)
    assert not [*tmp_path.glob("images/.*")]
    with pytest.raises(ImageUnavailable, match="--offline forbids fetching it"):
        ensure(tmp_path, registry.add("x:1", hand_made()), offline=True)
    assert registry.seen == []


@pytest.mark.parametrize("reference", ["x", "x:", "https://x/y:1"])
def test_what_is_no_image_is_a_mistake(tmp_path: Path, reference: str) -> None:
    with pytest.raises(UsageError):
        ensure(tmp_path, reference)


def test_a_disk_that_is_too_small_is_known_before_the_download(
    registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crosswheel.images.delivery.shutil.disk_usage", lambda _folder: Mock(free=100_000))
    with pytest.raises(DiskFull, match=r"no space left in .* to unpack"):
        ensure(tmp_path, registry.add("x:1", hand_made()))
    assert len([path for _, path, _ in registry.seen if "/blobs/" in path]) == 1  # the configuration


def test_a_full_disk_is_told(registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crosswheel.images.layers._write", full)
    with pytest.raises(DiskFull, match=r"no space left in .* to unpack"):
        ensure(tmp_path, registry.add("x:1", hand_made()))
    assert kept(tmp_path) == []


def test_ctrl_c_leaves_nothing_that_looks_complete(
    registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = registry.add("x:1", hand_made())

    def stopped(*_arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("crosswheel.images.layers._write", stopped)
        with pytest.raises(KeyboardInterrupt):
            ensure(tmp_path, reference)
    assert kept(tmp_path) == []
    assert find_unpacked(tmp_path, reference, AARCH64) is None
    registry.seen.clear()
    assert ensure(tmp_path, reference).root.is_dir()
    assert not [path for _, path, _ in registry.seen if "/blobs/" in path and "Range" in path]


def test_a_killed_run_does_not_stop_the_next_one(
    registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = registry.add("x:1", hand_made())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the child does not use
        child = os.fork()
    if child == 0:
        monkeypatch.setattr("crosswheel.images.layers._write", lambda *_arguments: os.kill(os.getpid(), signal.SIGKILL))
        ensure(tmp_path, reference)
    os.waitpid(child, 0)
    assert [*tmp_path.glob("images/.draft-*/root/etc")]
    assert find_unpacked(tmp_path, reference, AARCH64) is None
    assert (ensure(tmp_path, reference).root / "opt/noise").is_file()
    assert not [*tmp_path.glob("images/.*")]


def test_two_runs_at_once_fetch_it_once(registry: RegistryServer, tmp_path: Path) -> None:
    made = hand_made()
    reference = registry.add("x:1", made)
    with ThreadPoolExecutor(max_workers=3) as pool:
        found = {each.root for each in pool.map(lambda _number: ensure(tmp_path, reference), range(3))}
    assert len(found) == 1
    assert len([path for _, path, _ in registry.seen if "/blobs/" in path]) == len(made.blobs)


# ---- logins ---------------------------------------------------------------------------------------------------


def docker_config(folder: Path, content: dict[str, Any]) -> dict[str, str]:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(content))
    return {**os.environ, "DOCKER_CONFIG": str(folder)}


def login_to(host: str, user: str, password: str) -> dict[str, Any]:
    return {"auths": {host: {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}}}


def test_a_token_for_everybody_needs_no_login(registry: RegistryServer, tmp_path: Path) -> None:
    registry.challenge = "Bearer"
    assert ensure(tmp_path, registry.add("a/b:1", hand_made())).root.is_dir()
    (asked,) = [path for _, path, _ in registry.seen if path.startswith("/token")]
    assert asked == "/token?service=a+registry&scope=repository%3Aa%2Fb%3Apull%2Cpush"


@pytest.mark.parametrize("challenge", ["Basic", "Bearer"])
def test_the_login_of_docker_is_used(registry: RegistryServer, tmp_path: Path, challenge: str) -> None:
    registry.challenge, registry.login = challenge, ("user", "pass:wörd")
    reference = registry.add("a/b:1", hand_made())
    environ = docker_config(tmp_path / "docker", login_to(registry.host, *registry.login))
    assert ensure(tmp_path, reference, environ=environ).root.is_dir()


@pytest.mark.parametrize("challenge", ["Basic", "Bearer"])
def test_a_wrong_login_is_refused_without_showing_it(registry: RegistryServer, tmp_path: Path, challenge: str) -> None:
    registry.challenge, registry.login = challenge, ("user", "right")
    environ = docker_config(tmp_path / "docker", login_to(registry.host, "user", "wr0ng"))
    events: list[Event] = []
    with pytest.raises(ImageUnavailable, match="refuses: HTTP 401 UNAUTHORIZED") as caught:
        ensure(tmp_path, registry.add("a/b:1", hand_made()), environ=environ, events=events)
    assert caught.value.hint == f"docker login {registry.host}"
    shown = f"{caught.value!r} {caught.value} {events}"
    assert "wr0ng" not in shown
    assert base64.b64encode(b"user:wr0ng").decode() not in shown


def test_without_a_login_it_says_where_to_log_in(registry: RegistryServer, tmp_path: Path) -> None:
    registry.challenge, registry.login = "Basic", ("user", "right")
    with pytest.raises(ImageUnavailable, match="asks for a login") as caught:
        ensure(tmp_path, registry.add("a/b:1", hand_made()))
    assert caught.value.hint == f"docker login {registry.host}"


def helper(folder: Path, answer: str, status: int = 0) -> dict[str, str]:
    folder.mkdir()
    program = folder / "docker-credential-own"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\necho '{answer}'\nexit {status}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_credential_helper_is_asked(
    registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.challenge, registry.login = "Basic", ("user", "right")
    path = helper(tmp_path / "bin", '{"Username": "user", "Secret": "right"}')
    monkeypatch.setenv("PATH", path["PATH"])
    environ = {**docker_config(tmp_path / "docker", {"credHelpers": {registry.host: "own"}}), **path}
    assert ensure(tmp_path, registry.add("a/b:1", hand_made()), environ=environ).root.is_dir()


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_credential_helper_that_fails_is_told(
    registry: RegistryServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    registry.challenge = "Basic"
    path = helper(tmp_path / "bin", "it is locked", 1) if is_installed else {}
    monkeypatch.setenv("PATH", path.get("PATH", os.environ["PATH"]))
    environ = {**docker_config(tmp_path / "docker", {"credHelpers": {registry.host: "own"}}), **path}
    with pytest.raises(ImageUnavailable, match=r"cannot be read by .*config\.json"):
        ensure(tmp_path, registry.add("a/b:1", hand_made()), environ=environ)


def test_the_login_of_podman_is_used(registry: RegistryServer, tmp_path: Path) -> None:
    registry.challenge, registry.login = "Basic", ("user", "right")
    docker_config(tmp_path / "podman", login_to(registry.host, *registry.login))
    environ = {**os.environ, "REGISTRY_AUTH_FILE": str(tmp_path / "podman" / "config.json")}
    assert ensure(tmp_path, registry.add("a/b:1", hand_made()), environ=environ).root.is_dir()


def test_an_identity_token_is_exchanged(registry: RegistryServer, tmp_path: Path) -> None:
    registry.challenge, registry.identity_token = "Bearer", "refresh-me"
    environ = docker_config(tmp_path / "docker", {"auths": {registry.host: {"identitytoken": "refresh-me"}}})
    assert ensure(tmp_path, registry.add("a/b:1", hand_made()), environ=environ).root.is_dir()
    assert ("POST", "/token") in {(method, path) for method, path, _ in registry.seen}


@pytest.mark.parametrize("challenge", ["Basic", "Bearer"])
def test_no_login_follows_a_redirect(registry: RegistryServer, tmp_path: Path, challenge: str) -> None:
    made = hand_made()
    registry.challenge, registry.login = challenge, ("user", "right")
    environ = docker_config(tmp_path / "docker", login_to(registry.host, *registry.login))
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login of-netrc password of-netrc\n")
    with registry_server() as storage:
        storage.add("x:1", made)
        registry.elsewhere = storage.url
        assert ensure(tmp_path, registry.add("a/b:1", made), environ=environ).root.is_dir()
        assert storage.seen
        assert storage.sent("Authorization") == []
    assert len(set(registry.sent("Authorization"))) <= 2  # that of the token server, and that of the registry


def test_a_signature_in_an_address_is_not_shown(registry: RegistryServer, tmp_path: Path) -> None:
    registry.elsewhere = "http://127.0.0.1:1"
    with pytest.raises(ImageUnavailable) as caught:
        ensure(tmp_path, registry.add("a/b:1", hand_made()))
    assert "let-me-in" not in f"{caught.value!r}{caught.value}"


@pytest.mark.parametrize("where", ["http://example.invalid/token", "", "ftp://x/"])
def test_no_token_is_asked_for_without_tls(registry: RegistryServer, tmp_path: Path, where: str) -> None:
    registry.challenge, registry.realm = "Bearer", where or "relative"
    with pytest.raises(ImageUnavailable, match="names a token server without TLS"):
        ensure(tmp_path, registry.add("a/b:1", hand_made()))


@pytest.mark.parametrize("where", ["http://example.invalid", "file:///etc"])
def test_no_redirect_leaves_tls(registry: RegistryServer, tmp_path: Path, where: str) -> None:
    registry.elsewhere = where
    with pytest.raises(ImageUnavailable, match="redirects to an address without TLS"):
        ensure(tmp_path, registry.add("a/b:1", hand_made()))


def test_a_registry_elsewhere_needs_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def get(_session: object, url: str, **_how: object) -> None:
        import requests

        asked.append(url)
        raise requests.exceptions.SSLError("wrong version number")

    monkeypatch.setattr("requests.Session.get", get)
    with pytest.raises(ImageUnavailable, match=r"registry\.example does not talk TLS as expected"):
        ensure(tmp_path, "registry.example/x:1")
    assert asked == ["https://registry.example/v2/"]
    with pytest.raises(ImageUnavailable):
        ensure(tmp_path, "x:1")
    assert asked[1:] == ["https://registry-1.docker.io/v2/"]


def test_docker_is_told_of_registries_without_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "daemon.json"
    monkeypatch.setattr(plain_http, "_SETTINGS", settings)
    assert not may_be_plain("10.1.2.3:5000")
    settings.write_text('{"insecure-registries": ["registry.example:5000", "10.1.0.0/16", 3]}')
    hosts = ("registry.example:5000", "10.1.2.3:5000", "10.2.2.3", "registry.example", "localhost:1", "[::1]:5000")
    assert [may_be_plain(host) for host in hosts] == [True, True, False, False, True, True]
    settings.write_text("[")
    assert not may_be_plain("10.1.2.3:5000")


def test_challenges_are_read() -> None:
    text = 'realm="https://a/b",service=x, Scope="repository:a/b:pull,push"'
    assert parameters(text) == {
        "realm": "https://a/b",
        "service": "x",
        "scope": "repository:a/b:pull,push",
    }


def test_an_untrusted_certificate_is_not_evaded(certificate: Path, tmp_path: Path) -> None:
    with registry_server(certificate) as server:
        reference = server.add("x:1", hand_made())
        with pytest.raises(ImageUnavailable, match=r"the certificate of 127\.0\.0\.1:\d+ is not trusted") as caught:
            ensure(tmp_path, reference)
        assert caught.value.hint.startswith("export REQUESTS_CA_BUNDLE=FILE")
        assert server.seen == []
        environ = {**os.environ, "REQUESTS_CA_BUNDLE": str(certificate)}
        assert ensure(tmp_path, reference, environ=environ).root.is_dir()


# ---- images on disk -------------------------------------------------------------------------------------------


def write_layout(folder: Path, made: HandMade) -> Path:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for name, content in {**made.blobs, **{name: text for name, (_, text) in made.documents.items()}}.items():
        (blobs / name.removeprefix("sha256:")).write_bytes(content)
    text = made.documents[made.manifest][1]
    entry = {"mediaType": made.documents[made.manifest][0], "digest": made.manifest, "size": len(text)}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_an_oci_layout_is_read(tmp_path: Path, packed: bool) -> None:
    made = index({"amd64": hand_made("amd64", b"other"), "arm64": hand_made()})
    path = write_layout(tmp_path / "layout", made)
    if packed:
        assert os.system(f"tar -C {path} -czf {tmp_path}/layout.tar.gz .") == 0  # noqa: S605
        path = tmp_path / "layout.tar.gz"
    found = ensure(tmp_path / "cache", str(path), offline=True)
    assert (found.root / "opt/noise").read_bytes() == NOISE
    assert ensure(tmp_path / "cache", str(path), offline=True) == found
    assert not [*(tmp_path / "cache").glob("images/.*")]


@pytest.mark.parametrize("compress", [bytes, gzipped])
def test_what_docker_save_writes_is_read(tmp_path: Path, compress: Any) -> None:
    content = [layer(Member("etc/x", b"1")), layer(Member("opt/noise", NOISE))]
    made = image([compress(each) for each in content], contents=content)
    folder = tmp_path / "saved"
    folder.mkdir()
    configuration = next(blob for blob in made.blobs.values() if blob.startswith(b"{"))
    (folder / "config.json").write_bytes(configuration)
    for number, each in enumerate(content):
        (folder / f"{number}.tar").write_bytes(compress(each))
    entry = {"Config": "config.json", "RepoTags": ["x:1"], "Layers": ["0.tar", "1.tar"]}
    (folder / "manifest.json").write_text(json.dumps([entry]))
    archive = tmp_path / "saved.tar"
    assert os.system(f"tar -C {folder} -cf {archive} .") == 0  # noqa: S605
    found = ensure(tmp_path / "cache", str(archive))
    assert found.digest == digest(configuration)
    assert (found.root / "opt/noise").read_bytes() == NOISE
    (folder / "1.tar").write_bytes(compress(content[0]))
    with pytest.raises(ImageUnavailable, match=r"1\.tar has not the content sha256:"):
        ensure(tmp_path / "other", str(folder))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"Config": "../../secret", "Layers": []}, r"it has no file \.\./\.\./secret"),
        ({"Layers": []}, "is not one of docker save"),
        ([], "is not one of docker save"),
        (3, "is not one of docker save"),
    ],
)
def test_a_hostile_docker_save_reads_nothing_else(tmp_path: Path, entry: Any, message: str) -> None:
    folder = tmp_path / "a" / "saved"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text("{}")
    (folder / "manifest.json").write_text(json.dumps([entry]))
    with pytest.raises(ImageUnavailable, match=message):
        ensure(tmp_path / "cache", str(folder))


@pytest.mark.parametrize("name", ["missing.tar", "empty.tar", "folder"])
def test_what_is_no_image_on_disk_is_told(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty.tar").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(CrosswheelError, match=r"there is no image at|cannot be unpacked"):
        ensure(tmp_path / "cache", f"{tmp_path}/{name}")
