"""The index beside a folder of wheels, read by pip, uv and pypi-simple."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pypi_simple import PyPISimple

from crosswheel.publishing.static_index import write_static_index
from crosswheel.system.hashes import sha256_of
from crosswheel.testing import tiny_wheel


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *given: object) -> None:
        """Nothing."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple/"
        finally:
            server.shutdown()


def test_installers_read_it(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path, name="tiny_thing", members={"tiny_thing.py": b"x = 1\n"})
    tiny_wheel(tmp_path, name="other")
    write_static_index(tmp_path)
    write_static_index(tmp_path)  # again, over the first
    with serving(tmp_path) as url:
        (package,) = PyPISimple(url).get_project_page("tiny-thing").packages
        assert (package.filename, package.digests) == (wheel.name, {"sha256": sha256_of(wheel)})
        assert package.has_metadata
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--index-url",
            url,
            "--dest",
            str(tmp_path / "got"),
        ]
        subprocess.run([*command, "tiny-thing"], check=True, env={"PIP_CONFIG_FILE": "/dev/null"})
    assert sha256_of(tmp_path / "got" / wheel.name) == sha256_of(wheel)


def test_both_pages_say_the_same(tmp_path: Path) -> None:
    wheel = tiny_wheel(tmp_path)
    root = write_static_index(tmp_path)
    (file,) = json.loads((root / "tiny" / "index.json").read_text())["files"]
    metadata = tmp_path / f"{wheel.name}.metadata"
    assert file["hashes"] == {"sha256": sha256_of(wheel)}
    assert file["core-metadata"] == {"sha256": sha256_of(metadata)}
    page = (root / "tiny" / "index.html").read_text()
    assert f'href="../../{wheel.name}#sha256={sha256_of(wheel)}"' in page
    assert f'data-core-metadata="sha256={sha256_of(metadata)}"' in page
    assert (root / "tiny" / file["url"]).resolve() == wheel
    assert json.loads((root / "index.json").read_text())["projects"] == [{"name": "tiny"}]
