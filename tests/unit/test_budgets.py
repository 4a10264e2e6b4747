"""Inputs made to harm: each ends with an error of ours, in less than 300 MB and 10 seconds of a processor.

Each is read by a process of its own, whose peak of memory the kernel knows. Its time is that of the processor: what
others do on the machine meanwhile is not its fault.
"""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from bombs import BOMBS, large_wheel, long_page, page_of_depth, page_of_lists, page_of_tags
from crosswheel.errors import UsageError
from crosswheel.formats.tars import open_tar
from crosswheel.system.budget import Budget, Deadline, OverBudget
from crosswheel.system.pages import read_json
from frugality import READERS, frugally
from loopback import serving

# In every run those that are most unlike each other; `nox -s tests-slow` has the others, some each day.
OFTEN = (
    "many_wide_names", "shared_bytes", "long_needed_names", "one_long_pax_header", "chained_long_names", "sparse_map",
    "deep_import_names", "nested_toml", "dotted_table_toml", "endless_toml",
)  # fmt: skip


@pytest.mark.parametrize(
    "bomb",
    [pytest.param(name, marks=() if name in OFTEN else [pytest.mark.slow, pytest.mark.daily(6)]) for name in BOMBS],
)
def test_files_that_harm(bomb: str, tmp_path: Path) -> None:
    path = BOMBS[bomb](tmp_path)
    told = frugally(READERS[path.suffix], str(path))
    assert re.match(r"AuditFailed |SourceError |UsageError |read \d", told)


@pytest.mark.slow
@pytest.mark.daily(1, of="large wheels")
def test_a_wheel_of_a_gigabyte(tmp_path: Path) -> None:
    if shutil.disk_usage(tmp_path).free < 4 << 30:
        pytest.skip("less than 4 GiB of the disk are free")
    path = large_wheel(tmp_path)
    assert path.stat().st_size > 1_000_000_000
    assert frugally(READERS[".whl"], str(path), seconds=60).startswith("read ")
    path.unlink()


@pytest.mark.parametrize(
    ("page", "packed", "reason"),
    [
        (long_page, False, "it has more than 33554432 bytes"),
        (long_page, True, "it has more than 33554432 bytes"),
        (page_of_lists, False, "it has more than 600000 values or tags"),
        (page_of_tags, False, "it has more than 600000 values or tags"),
        (page_of_depth, False, "recursion"),
    ],
)
def test_pages_that_harm(page: Callable[[], bytes | Iterator[bytes]], reason: str, *, packed: bool) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            kind = "text/html" if page is page_of_tags else "application/vnd.pypi.simple.v1+json"
            self.send_header("Content-Type", kind)
            if packed:
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            content = page()
            # It goes away when it has seen enough.
            with suppress(OSError):
                for block in [content] if isinstance(content, bytes) else content:
                    self.wfile.write(gzip.compress(block, 1) if packed else block)

        def log_message(self, *_: object) -> None:
            """Nothing to say."""

    reader = """
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
Index(PipSettings(index_url=sys.argv[1]), Path()).files_of("tiny")
"""
    with serving(Handler) as url:
        told = frugally(reader, f"{url}simple/")
    assert told.startswith("IndexUnreachable ")
    assert reason in told


def test_reports_beside_wheels_are_measured_too(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    for text, reason in (
        ("[" * 100_000, "it is nested too deeply"),
        ("[" + "1," * 700_000 + "1]", "it has more than 600000 values or tags, which is the limit"),
        ('"' + "a" * (33 << 20) + '"', "it has more than 33554432 bytes, which is the limit"),
    ):
        path.write_text(text)
        with pytest.raises(OverBudget, match=f"^{reason}$"):
            read_json(path)


def test_what_is_honest_has_room(tmp_path: Path) -> None:
    """Half of what is too much."""
    path = tmp_path / "report.json"
    path.write_text('{"files": [' + ",".join(['{"filename": "a", "hashes": {"sha256": "b"}}'] * 40_000) + "]}")
    assert len(read_json(path)["files"]) == 40_000


def test_a_budget_is_for_the_whole() -> None:
    budget = Budget(10, "apples")
    for _ in range(10):
        budget.spend(1)
    with pytest.raises(OverBudget, match="it has more than 10 apples, which is the limit"):
        budget.spend(1)


def test_reading_ends_with_the_deadline() -> None:
    Deadline(60).check()
    with pytest.raises(OverBudget, match="reading it took longer than the limit of -1 seconds"):
        Deadline(-1).check()


def test_tar_archives_of_every_kind_are_read(tmp_path: Path) -> None:
    import tarfile

    (tmp_path / "a").write_bytes(b"abc" * 1000)
    for kind in ("", "gz", "bz2", "xz"):
        path = tmp_path / f"tiny.tar.{kind}"
        with tarfile.open(path, f"w:{kind}", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "a", "tiny/" + "ä" * 150)
            archive.add(tmp_path / "a", "tiny/b")
        with open_tar(path) as read:
            assert read.getnames() == ["tiny/" + "ä" * 150, "tiny/b"]
            file = read.extractfile("tiny/b")
            assert file
            assert file.read() == b"abc" * 1000


def test_settings_that_no_one_would_write(tmp_path: Path) -> None:
    from crosswheel.model.pyproject import read_toml

    path = tmp_path / "pyproject.toml"
    path.write_text("a = " + "{a = " * 50_000)
    with pytest.raises(UsageError, match="cannot be read: it is nested too deeply"):
        read_toml(path)
    # A sentence with dots, addresses and numbers is none of that.
    text = "see https://www.e.example/a.b.c.d ... v1.2.3.4 and so on. " * 2000
    path.write_text(f'[project]\ndescription = "{text}"\n[tool.a.b.c]\nd.e = [1.0, 2.5]\n')
    assert read_toml(path)["tool"]["a"]["b"]["c"]["d"]["e"] == [1.0, 2.5]
