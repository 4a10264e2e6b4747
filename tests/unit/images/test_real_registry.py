"""Images from a real registry (Debian's docker-registry), which the fake one of other tests is only like."""

from __future__ import annotations

import base64
import json
import os
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from containers.registry import RegistryUnavailable, running_registry
from crosswheel.errors import ImageUnavailable
from crosswheel.images.store import ensure_unpacked
from crosswheel.model.job import deaf
from crosswheel.model.targets import architectures
from layer_files import HandMade, Member, gzipped, image, index, layer

AARCH64 = architectures()["aarch64"]
LOGIN = ("user", "right")
HTPASSWD = "user:$2b$04$FD32kiGcb9z18C7p6GcGrOFK2ht7KEls2oMUypHOf6fknrzCa.uMe\n"
ORDINARY = 65534


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("registry"))


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from serve(tmp_path_factory.mktemp("private"), HTPASSWD)


def serve(folder: Path, htpasswd: str = "") -> Iterator[str]:
    try:
        with running_registry(folder / "storage", folder, htpasswd=htpasswd) as address:
            yield address
    except RegistryUnavailable as error:
        pytest.skip(str(error))


def push(address: str, name: str, made: HandMade) -> str:
    """Upload an image (OCI distribution specification, "Pushing"); its reference by digest."""
    with requests.Session() as session:
        session.auth = LOGIN
        for digest, content in made.blobs.items():
            begun = session.post(f"http://{address}/v2/{name}/blobs/uploads/", timeout=10)
            url = urljoin(begun.url, begun.headers["Location"])
            session.put(url, params={"digest": digest}, data=content, timeout=10).raise_for_status()
        for digest, (kind, text) in made.documents.items():
            url = f"http://{address}/v2/{name}/manifests/{digest}"
            session.put(url, data=text, headers={"Content-Type": kind}, timeout=10).raise_for_status()
    return f"{address}/{name}@{made.manifest}"


def hand_made(machine: str, content: bytes = b"1") -> HandMade:
    members = (Member("usr/bin/x", content, mode=0o4755), Member("bin", link="/usr/bin"), Member("no", b"x", mode=0))
    return image([gzipped(layer(*members))], machine)


def ensure(cache: Path, reference: str, environ: dict[str, str] | None = None) -> Path:
    found = ensure_unpacked(
        cache, reference, AARCH64, mirrors=(), offline=False, listener=deaf, environ=environ or os.environ
    )
    return found.root


def test_an_index_leads_to_the_image(registry: str, tmp_path: Path) -> None:
    both = index({"amd64": hand_made("amd64", b"other"), "arm64": hand_made("arm64")})
    root = ensure(tmp_path, push(registry, "pypa/x", both))
    assert (root / "bin/x").read_bytes() == b"1"


def test_what_it_lacks_is_told(registry: str, tmp_path: Path) -> None:
    with pytest.raises(ImageUnavailable, match=rf"{registry} has no such tag in pypa/none"):
        ensure(tmp_path, f"{registry}/pypa/none:1")


def test_it_asks_for_a_login(private: str, tmp_path: Path) -> None:
    reference = push(private, "pypa/x", hand_made("arm64"))
    with pytest.raises(ImageUnavailable, match="asks for a login"):
        ensure(tmp_path, reference, {"HOME": str(tmp_path)})
    (tmp_path / "config.json").write_text(json.dumps(login("wr0ng", private)))
    with pytest.raises(ImageUnavailable, match="refuses: HTTP 401 UNAUTHORIZED"):
        ensure(tmp_path, reference, {"DOCKER_CONFIG": str(tmp_path)})
    (tmp_path / "config.json").write_text(json.dumps(login("right", private)))
    assert (ensure(tmp_path, reference, {"DOCKER_CONFIG": str(tmp_path)}) / "bin/x").exists()


def login(password: str, host: str) -> dict[str, object]:
    return {"auths": {host: {"auth": base64.b64encode(f"user:{password}".encode()).decode()}}}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become an ordinary user")
def test_an_ordinary_user_needs_nothing_else(registry: str, tmp_path: Path) -> None:
    reference = push(registry, "pypa/ordinary", hand_made("arm64"))
    ensure(tmp_path, reference)  # imports what an ordinary user may not be able to read
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chown(folder, ORDINARY, ORDINARY)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the child does not use
            child = os.fork()
        if child == 0:
            code = 1
            try:
                os.setgroups([])
                os.setgid(ORDINARY)
                os.setuid(ORDINARY)
                root = ensure(Path(folder, "cache"), reference, {"HOME": folder})
                code = 0 if (root / "bin/x").read_bytes() + (root / "no").read_bytes() == b"1x" else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        (tool,) = Path(folder).rglob("usr/bin/x")
        assert (tool.stat().st_uid, tool.stat().st_mode & 0o7777) == (ORDINARY, 0o755)
