"""Images for tests: made once per recipe, kept in a registry's storage, pulled by digest."""

from __future__ import annotations

import functools
import hashlib
import json
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import filelock
import requests

from containers.pushing import MANIFEST, push
from containers.stand_ins import Recipe
from containers.stand_ins.archive import Image
from containers.stand_ins.system import certificates

_TIMEOUT = 60
_BUILDS_ON = re.compile(r"^from containers\.stand_ins\.(\w+) import", re.MULTILINE)
# Tells what is ours on an engine that was there before the tests.
LABEL = "crosswheel.tests"


class ImagesUnavailable(Exception):  # noqa: N818 - reads as what happened
    """The engine and the registry do not reach each other, and why: a reason to skip."""


@dataclass(frozen=True)
class Shelf:
    """A registry on loopback with the images that were made so far; without a client it makes no more."""

    client: docker.DockerClient | None
    registry: str
    cache: Path

    def reference(self, repository: str, arch: str, recipe: Recipe) -> str:
        """``127.0.0.1:PORT/REPOSITORY@sha256:...`` for the image of this recipe, which is made if need be."""
        name, tag = f"{self.registry}/{repository}", recipe_version(recipe)
        with filelock.FileLock(self.cache / f"{repository.replace('/', '-')}.lock"):
            if self._digest(repository, tag) is None:
                if self.client is None:
                    raise ImagesUnavailable(f"no Docker Engine to make {name} with")
                self._make(self.client, repository, tag, arch, recipe)
        digest = self._digest(repository, tag)
        assert digest is not None
        return f"{name}@{digest}"

    def _make(self, client: docker.DockerClient, repository: str, tag: str, arch: str, recipe: Recipe) -> None:
        with tempfile.TemporaryDirectory(dir=self.cache) as work:
            layer = Path(work, "layer")
            layer.mkdir()
            image = replace(recipe(arch, layer, self.cache), labels={LABEL: tag})
            push(image, f"http://{self.registry}/v2/{repository}", f"{tag}-bare" if image.setup else tag, Path(work))
        if image.setup:
            _set_up(client, f"{self.registry}/{repository}", tag, image)

    def _digest(self, repository: str, tag: str) -> str | None:
        url = f"http://{self.registry}/v2/{repository}/manifests/{tag}"
        # With another type the registry translates it for old clients, and the digest is another.
        answer = requests.head(url, headers={"Accept": MANIFEST}, timeout=_TIMEOUT)
        return answer.headers["Docker-Content-Digest"] if answer.ok else None


def _set_up(client: docker.DockerClient, name: str, tag: str, image: Image) -> None:
    """What a Dockerfile calls RUN, on the image with the tag ``TAG-bare``."""
    bare = f"{name}:{tag}-bare"
    client.images.pull(bare)
    container = client.containers.create(bare, list(image.setup))
    try:
        container.start()
        if container.wait()["StatusCode"]:
            raise ImagesUnavailable(f"{name} cannot be made: {container.logs(tail=3).decode()}")
        # Or the command would be what containers of the image run from now on.
        container.commit(name, tag, changes=[f"CMD {json.dumps(list(image.command))}"])
    finally:
        container.remove(force=True, v=True)
    _push(client, name, tag)
    client.images.remove(bare)


def _push(client: docker.DockerClient, name: str, tag: str) -> None:
    """And forget it: who needs it pulls it, in this session as in later ones."""
    for step in client.images.push(name, tag=tag, stream=True, decode=True):
        if "error" in step:
            raise ImagesUnavailable(f"{name}:{tag} cannot be pushed: {step['error']}")
    client.images.remove(f"{name}:{tag}")


@functools.cache
def recipe_version(recipe: Recipe) -> str:
    """Of a recipe and of all that it builds on; another one makes the image anew, which takes up to a minute."""
    digest = hashlib.sha256(f"{recipe.__name__} {certificates()}".encode())
    for path in sorted(_modules(recipe.__module__.rpartition(".")[2])):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _modules(name: str) -> set[Path]:
    path = Path(__file__).with_name("stand_ins") / f"{name}.py"
    return {path}.union(*(_modules(other) for other in _BUILDS_ON.findall(path.read_text("utf-8"))))


def remove_images(client: docker.DockerClient) -> None:
    """Everything that was made here, from an engine that outlives the tests."""
    for image in client.images.list(all=True, filters={"label": LABEL}):
        client.images.remove(str(image.id), force=True)
