"""What an ordinary user's containers can do with other users than root; printed as JSON.

Run with the root of a file system that has busybox, in a HOME of its own. With a script as well, it tells what that
prints.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.containers.namespace_host import NamespaceHost
from crosswheel.errors import CrosswheelError
from crosswheel.formats.build_logs import explain
from crosswheel.model.job import deaf
from crosswheel.model.targets import parse_architecture
from crosswheel.system.local_host import local_host
from crosswheel.system.process import CommandFailed
from crosswheel.system.subordinate_ids import find_maps, this_user, try_maps
from crosswheel.upkeep.caches import local_holdings, remove_local

CHOWN = "mkdir /given && touch /given/file && chown -R 33:44 /given && chmod 700 /given && stat -c %u:%g /given/file"
SEEN = "stat -c %u:%g /given/file"
BECOME = "su -s /bin/sh nobody -c 'id -u; touch /tmp/own; stat -c %U /tmp/own'"
EXTRACT = "cd /tmp && mkdir in && chown 7:8 in && tar cf in.tar in && rm -r in && tar xpf in.tar && stat -c %u:%g in"
CACHED = "touch /cache/file && mkdir -p /cache/closed/in && chown -R 33:44 /cache/closed && chmod 700 /cache/closed"


def tried(container: Container, script: str) -> str:
    """What the script prints, or how its failure is explained."""
    try:
        return container.run(["sh", "-c", script]).strip()
    except CommandFailed as error:
        found = explain(error.output, "native")
        return f"{found.kind}: {found.hint}" if found else error.output
    except CrosswheelError as error:
        return error.message


def main(root: Path, script: str | None = None) -> None:
    host = NamespaceHost(local_host(offline=True, listener=deaf))
    if refusal := host.host.allowed.namespaces or host.host.allowed.overlay:
        sys.stdout.write(json.dumps({"skipped": str(refusal)}))
        return
    arch = parse_architecture(platform.machine())
    image = Image("sha256:1", "localhost/image:1", "", arch, {}, (), 0)
    host.roots[image.id] = root

    @contextmanager
    def running(image: Image) -> Iterator[Container]:
        caches = {"crosswheel-cache-own": "/cache"}
        with host.running(image, host.host.processes, timeout=60, caches=caches) as container:
            yield container

    if script:
        with running(image) as container:
            sys.stdout.write(json.dumps({"printed": tried(container, script)}))
        return
    refused = try_maps(find_maps(this_user()), host.host.processes)
    facts = {"refused": str(refused or "")}
    host.ensure_volume("crosswheel-cache-own", {})
    with running(image) as container:
        facts["chown"] = tried(container, CHOWN)
        facts["su"] = tried(container, BECOME)
        facts["tar"] = tried(container, EXTRACT)
        facts["cache"] = tried(container, CACHED)
        layer = container.commit("crosswheel-before-all", "1", {})
        facts["above the layer"] = tried(container, SEEN)
    with running(replace(image, layer=layer)) as container:
        facts["in the layer"] = tried(container, SEEN)
    facts["left of containers"] = " ".join(path.name for path in (host.folder / "containers").iterdir())
    for holding in local_holdings(host.host.cache):
        remove_local(replace(holding, busy=False))
    left = [path for kind in ("containers", "layers", "volumes") for path in (host.folder / kind).rglob("*")]
    facts["left of all"] = " ".join(map(str, left))
    sys.stdout.write(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
