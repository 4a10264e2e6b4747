"""What `readiness` takes for a large tree: python bench/tree.py [COUNT] prints seconds and requests as JSON.

The packages are on an index of the loopback interface that waits 5 ms before each answer. `cold` is the first run with
an empty cache of uv, `warm` the best of the next ones; `start` judges a lock without packages, and `uv` is the one
command that a warm run cannot save. Wall time counts on a quiet machine only; `cpu` is that of the command and of uv,
without the index.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread

COUNT = 300
LATENCY = 0.005  # seconds
_REQUIRED = 3  # further packages that each package requires
_WARM = 3  # runs
_LACKING = 20  # one of so many packages has no wheel for the platforms that are asked for
_PYTHONS = ("cp310", "cp311", "cp312", "cp313", "cp314")
_PLATFORMS = ("manylinux_2_17_x86_64", "musllinux_1_2_x86_64", "manylinux_2_17_aarch64", "musllinux_1_2_aarch64")


def metadata(number: int, count: int) -> bytes:
    required = range(number + 1, min(number + 1 + _REQUIRED, count))
    lines = [f"Requires-Dist: p{other}" for other in required]
    head = ["Metadata-Version: 2.2", f"Name: p{number}", "Version: 1.0", "Requires-Python: >=3.10"]
    return "\n".join([*head, *lines, ""]).encode()


def page(number: int, count: int) -> bytes:
    """The page of a project (PEP 691): an sdist and a wheel for each Python and platform."""
    platforms = [name for name in _PLATFORMS if number % _LACKING or "x86_64" in name]
    names = [f"p{number}-1.0-{python}-{python}-{name}.whl" for python in _PYTHONS for name in platforms]
    core = {"sha256": hashlib.sha256(metadata(number, count)).hexdigest()}
    files: list[dict[str, object]] = [{**_file(name), "core-metadata": core} for name in names]
    files.append(_file(f"p{number}-1.0.tar.gz"))
    return json.dumps({"meta": {"api-version": "1.1"}, "name": f"p{number}", "files": files}).encode()


def _file(name: str) -> dict[str, object]:
    """A file that nobody downloads."""
    return {"filename": name, "url": f"/files/{name}", "hashes": {"sha256": hashlib.sha256(name.encode()).hexdigest()}}


def serve(count: int, said: Connection) -> None:
    """Serve the index, and say its port; answers each message with the number of requests so far."""
    asked = 0
    pages = {f"/simple/p{number}/": page(number, count) for number in range(count)}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one packet for headers and body

        def do_GET(self) -> None:
            nonlocal asked
            asked += 1
            time.sleep(LATENCY)
            body, kind = pages.get(self.path, b""), "application/vnd.pypi.simple.v1+json"
            if self.path.endswith(".metadata"):
                number = int(self.path.rpartition("/")[2].partition("-")[0][1:])
                body, kind = metadata(number, count), "application/octet-stream"
            self.send_response(200 if body else 404)
            for name, value in {
                "Content-Type": kind,
                "Content-Length": len(body),
                "Cache-Control": "max-age=600",
            }.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    said.send(server.server_address[1])
    Thread(target=server.serve_forever, daemon=True).start()
    while said.recv():
        said.send(asked)
    server.shutdown()


@contextmanager
def index(count: int) -> Iterator[tuple[str, Connection]]:
    """Its address, and the connection that tells the number of requests."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=serve, args=(count, theirs), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{ours.recv()}/simple/", ours
    finally:
        ours.send(False)
        process.join()


def measured(command: list[str], environ: dict[str, str], folder: Path, asking: Connection) -> dict[str, float]:
    def requests() -> int:
        asking.send(True)
        return int(asking.recv())

    before, began, asked = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic(), requests()
    subprocess.run(command, env=environ, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after, seconds = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - began
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(seconds, 2), "cpu": round(cpu, 2), "requests": requests() - asked}


def best(command: list[str], environ: dict[str, str], folder: Path, asking: Connection) -> dict[str, float]:
    """The run that took the least processor time."""
    return min((measured(command, environ, folder, asking) for _ in range(_WARM)), key=lambda run: run["cpu"])


def main(count: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name, index(count) as (url, asking):
        folder = Path(name)
        (folder / "requirements.txt").write_text("".join(f"p{number}\n" for number in range(0, count, _REQUIRED)))
        others = {"PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"}
        environ = {key: value for key, value in os.environ.items() if key not in others and not key.startswith("UV_")}
        environ |= {"PIP_INDEX_URL": url, "PIP_CONFIG_FILE": os.devnull, "UV_CACHE_DIR": str(folder / "uv")}
        environ["CROSSWHEEL_CACHE"] = str(folder / "cache")
        environ |= {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(folder / "pyc")}  # as users have it
        command = [sys.executable, "-m", "crosswheel", "readiness", "requirements.txt", "--json", "readiness.json"]
        command += ["--python", ",".join(_PYTHONS)]
        start = [sys.executable, "-m", "crosswheel", "readiness", "pylock.toml", "--json", "start.json"]
        uv = ["uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.10", "requirements.txt"]
        uv += ["--python", sys.executable]
        (folder / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "bench"\npackages = []\n')
        measured(start, environ, folder, asking)  # what this machine has is known then
        runs = {
            "start": measured(start, environ, folder, asking),
            "cold": measured(command, environ, folder, asking),
            "warm": best(command, environ, folder, asking),
            "uv": best(uv, {**environ, "UV_DEFAULT_INDEX": url}, folder, asking),
        }
        (tree,) = json.loads((folder / "readiness.json").read_text())["trees"]
    return {"packages": count, "cells": len(tree["cells"]), **tree["totals"], "load": os.getloadavg()[0], **runs}


if __name__ == "__main__":
    json.dump(main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT), sys.stdout, indent=1)
    print()
