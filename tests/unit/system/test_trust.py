"""Whose certificates are believed: the same in every request of a run, wherever it was said."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from bad_wheels import ARM, FAST
from crosswheel.commands import run_verb
from crosswheel.errors import IndexUnreachable, UsageError
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings
from crosswheel.system.trust import Trust, named_authorities
from crosswheel.testing import tiny_wheel
from upload_server import UploadServer, upload_server

PLACES = ("TWINE_CERT", "ca_cert", "PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
WITH_PIP = ("TWINE_CERT", "PIP_CERT", "SSL_CERT_FILE")  # to start it takes longer than all else


@pytest.fixture
def server(certificate: Path) -> Iterator[UploadServer]:
    with upload_server(certificate) as running:
        yield running


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of whoever runs the tests."""
    for name in list(os.environ):
        if (
            name.startswith(("PIP_", "TWINE_", "UV_"))
            or name in {*PLACES, "CURL_CA_BUNDLE"}
            or name.lower().endswith("_proxy")
        ):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)


def project_of(server: UploadServer, folder: Path, more: str = "") -> Path:
    login = f"repository = {server.url}\nusername = me\npassword = secret\n{more}"
    (folder / "home" / ".pypirc").write_text(f"[distutils]\nindex-servers = mine\n[mine]\n{login}")
    project = folder / "project"
    (project / "wheelhouse").mkdir(parents=True)
    (project / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\n[tool.crosswheel]\nrepository = "mine"\njobs = 1\n'
    )
    tiny_wheel(project / "wheelhouse", tag=ARM, members={"fast.abi3.so": FAST})
    return project


@pytest.mark.parametrize("place", PLACES)
def test_every_request_of_a_run_believes_the_same(
    server: UploadServer, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """Ours, twine's and pip's: whatever is worth less names others."""
    project = project_of(server, tmp_path, f"ca_cert = {certificate}\n" if place == "ca_cert" else "")
    for other in PLACES[PLACES.index(place) + 1 :]:
        monkeypatch.setenv(other, DEFAULT_CA_BUNDLE_PATH)
    if place != "ca_cert":
        monkeypatch.setenv(place, str(certificate))
    stream = io.StringIO()
    assert run_verb("upload", project, {}, stream) == 0, stream.getvalue()
    if place in WITH_PIP:
        assert run_verb("verify", project, {}, stream) == 0, stream.getvalue()
        assert "chosen for 1 target" in stream.getvalue()


@pytest.mark.parametrize("verb", ["upload", "verify", "status"])
def test_a_certificate_that_nobody_believes_says_what_to_set(server: UploadServer, tmp_path: Path, verb: str) -> None:
    project = project_of(server, tmp_path)
    with pytest.raises(IndexUnreachable, match="certificate") as caught:
        run_verb(verb, project, {}, io.StringIO())
    for word in ("TWINE_CERT", "ca_cert", "pip config set global.cert", "REQUESTS_CA_BUNDLE"):
        assert word in caught.value.hint


def test_where_packages_come_from_it_says_what_pip_knows(server: UploadServer, tmp_path: Path) -> None:
    with pytest.raises(IndexUnreachable, match="certificate") as caught:
        Index(PipSettings(index_url=f"{server.url}simple/"), tmp_path).files_of("tiny")
    assert caught.value.hint == "pip config set global.cert FILE; or export REQUESTS_CA_BUNDLE=FILE"


def test_certificates_that_are_not_there_are_said_so(server: UploadServer, tmp_path: Path) -> None:
    project = project_of(server, tmp_path, "ca_cert = /nowhere/ca.pem\n")
    with pytest.raises(UsageError, match=r"^there are no certificates at /nowhere/ca\.pem\n  try: ls -l /nowhere/ca"):
        run_verb("upload", project, {}, io.StringIO())


def test_what_is_said_goes_before_what_all_programs_are_told() -> None:
    environ = {"REQUESTS_CA_BUNDLE": "/b", "CURL_CA_BUNDLE": "/c", "SSL_CERT_FILE": "/d"}
    assert named_authorities(["", "/a"], environ) == "/a"
    assert named_authorities([""], environ) == "/b"
    assert named_authorities([], {"SSL_CERT_FILE": "/d"}) == "/d"
    assert named_authorities([], {}) == ""


@pytest.mark.parametrize("before", ["/before.pem", ""])
def test_what_libraries_read_is_put_back(monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    if before:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", before)
    with Trust("/own.pem").for_all():
        assert os.environ["REQUESTS_CA_BUNDLE"] == "/own.pem"
    assert os.environ.get("REQUESTS_CA_BUNDLE", "") == before
    with Trust().for_all():
        assert os.environ.get("REQUESTS_CA_BUNDLE", "") == before
