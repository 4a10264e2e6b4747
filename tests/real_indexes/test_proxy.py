"""Each fault is seen by a client as what it stands for, and the server knows what it should know."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
import requests

from real_indexes.clients import pip_install, sha256, twine, wheel
from real_indexes.proxy import Act, Fault, Hold, Proxy, answered, cut_after, cut_before_answer, late, replaced, stale
from real_indexes.servers import Served

pytestmark = pytest.mark.real_indexes


def page(served: Served) -> str:
    return requests.get(f"{served.simple_url}tiny/", timeout=60).text


def test_without_a_fault_all_goes_through(served: Served, behind: Served, between: Proxy, tmp_path: Path) -> None:
    uploaded = twine(behind, wheel(tmp_path, "answer = 42"))
    assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    installed = pip_install(behind, tmp_path / "installed")
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert between.uploads() == 1
    # The page and the file: its links lead through the proxy too.
    assert any(line.endswith(".whl") for line in between.asked)


@pytest.mark.parametrize(
    ("act", "arrived"),
    [
        (answered(500), False),
        (answered(429, Retry_After="1"), False),
        (cut_after(0), False),
        (cut_after(600), False),
        (cut_before_answer, True),
    ],
    ids=["500", "429", "cut-at-once", "cut-half-way", "cut-before-answer"],
)
def test_an_upload_that_fails(
    served: Served, behind: Served, between: Proxy, tmp_path: Path, act: Act, arrived: bool
) -> None:
    path = wheel(tmp_path, "x" * 100_000)
    between.faults.append(Fault("POST", "/$", act, times=99))
    uploaded = twine(behind, path)
    assert uploaded.returncode != 0
    assert (path.name in page(served)) == arrived
    between.faults.clear()
    assert twine(behind, path).returncode == 0 or arrived  # pypiserver refuses what it has
    assert page(served).count(f"sha256={sha256(path)}") == 1


def test_faults_end(behind: Served, between: Proxy) -> None:
    between.faults.append(Fault("GET", "/tiny/$", answered(429, b"wait", Retry_After="7"), times=2))
    answers = [requests.get(f"{behind.simple_url}tiny/", timeout=60) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 404]
    assert (answers[0].headers["Retry-After"], answers[0].text) == ("7", "wait")


def test_a_late_answer_comes(behind: Served, between: Proxy) -> None:
    between.faults.append(Fault("GET", "/tiny/$", late(0.5)))
    began = time.monotonic()
    page(behind)
    assert time.monotonic() - began >= 0.5


def test_a_stale_page_does_not_know_the_newest_file(
    served: Served, behind: Served, between: Proxy, tmp_path: Path
) -> None:
    path = wheel(tmp_path)
    page(behind)
    assert twine(behind, path).returncode == 0
    between.faults.append(Fault("GET", "/tiny/$", stale))
    assert [path.name in page(behind) for _ in range(2)] == [False, True]


def test_a_wrong_hash_is_found_by_pip(served: Served, behind: Served, between: Proxy, tmp_path: Path) -> None:
    path = wheel(tmp_path)
    assert twine(served, path).returncode == 0
    between.faults.append(Fault("GET", "/tiny/$", replaced(sha256(path), "0" * 64)))
    installed = pip_install(behind, tmp_path / "installed")
    assert installed.returncode != 0
    assert "DO NOT MATCH THE HASHES" in installed.stdout + installed.stderr


@pytest.mark.parametrize("after", [False, True])
def test_a_request_is_held(served: Served, behind: Served, between: Proxy, tmp_path: Path, after: bool) -> None:
    path, hold = wheel(tmp_path), Hold(after=after)
    between.faults.append(Fault("POST", "/$", hold))
    uploading = threading.Thread(target=twine, args=(behind, path))
    uploading.start()
    try:
        assert hold.arrived.wait(60)
        assert (path.name in page(served)) == after
    finally:
        hold.released.set()
        uploading.join()
