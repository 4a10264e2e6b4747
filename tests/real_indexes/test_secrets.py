"""Tokens are nowhere but on their way to the index: not on screen, not in logs, not in any document."""

from __future__ import annotations

import base64
import logging
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from real_indexes.proxy import Act, Fault, Proxy, answered, cut_after
from real_indexes.releases import Project, make_project
from real_indexes.servers import PypiServer, Served

pytestmark = pytest.mark.real_indexes

CANARY = "pypi-canary-5up3r-53cr3t"


@pytest.fixture
def served(pypiserver: PypiServer) -> Served:
    """One kind of index is enough: what counts is what is said here."""
    return pypiserver.new_index()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)


def project_of(served: Served, folder: Path, place: str) -> tuple[Project, str]:
    """With its password in that place, and the word by which --repository names the index."""
    bare = replace(served, password="")
    if place == "environ":
        return replace(make_project(folder, {"real": bare}), extra={"TWINE_PASSWORD": served.password}), "real"
    if place == "own variable":
        return replace(make_project(folder, {"real": bare}), extra={"TWINE_PASSWORD_REAL": served.password}), "real"
    if place == "pypirc":
        return make_project(folder, {"real": served}), "real"
    user = f"{served.username}:{quote(served.password, safe='')}"
    return make_project(folder, {"other": bare}), served.upload_url.replace("//", f"//{user}@")


@pytest.mark.daily(7)
@pytest.mark.parametrize("place", ["environ", "own variable", "pypirc", "address"])
@pytest.mark.parametrize(
    "trouble", [None, answered(500), answered(403, b"this token is not for this project"), cut_after(10), "wrong token"]
)
def test_no_word_of_a_token(
    behind: Served,
    between: Proxy,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    place: str,
    trouble: Act | str | None,
) -> None:
    served = replace(behind, password=CANARY) if trouble == "wrong token" else behind
    project, name = project_of(served, tmp_path, place)
    if callable(trouble):
        between.faults.append(Fault("POST", r"/$", trouble, times=99))
    with caplog.at_level(logging.DEBUG):
        code, text = project.release(repository=name)
        assert (code == 0) == (trouble is None), text
        again = [project.run(verb, "--repository", name, "--json", f"{verb}.json").stdout for verb in _looking(trouble)]
    said = [text, *again, caplog.text, *capfd.readouterr(), *map(repr, caplog.records)]
    said += [path.read_text() for path in (*project.folder.glob("*.json"), *project.wheelhouse.glob("release.*"))]
    # As it is written down, and as it is sent.
    login = base64.b64encode(f"{served.username}:{served.password}".encode()).decode()
    escaped = (quote(served.password), quote(served.password, safe=""), quote_plus(served.password))
    for secret in {served.password, login, *escaped}:
        assert not [words for words in said if secret in words]


def _looking(trouble: object) -> list[str]:
    return ["status", "upload", "verify"] if trouble is None else ["status"]


def test_the_servers_own_reason_is_shown(behind: Served, tmp_path: Path) -> None:
    project = make_project(tmp_path, {"real": replace(behind, password=CANARY)})
    code, text = project.release(repository="real")
    assert code == 21, text
    assert "403" in text or "401" in text
    assert "export TWINE_PASSWORD_REAL=..." in text


def test_without_a_token_nothing_is_tried(behind: Served, between: Proxy, tmp_path: Path) -> None:
    project = make_project(tmp_path, {"real": replace(behind, password="")})
    code, text = project.release(repository="real")
    assert code == 23, text
    assert between.uploads() == 0
