"""Sending a release: what is sent, in which order, how often; and what is said when it cannot be."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import io
import json
import socket
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import hypothesis
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from crosswheel.auditing.run import audit_files
from crosswheel.commands import run_verb
from crosswheel.errors import (
    AuditFailed,
    CheckFailed,
    CrosswheelError,
    FileClash,
    IndexUnreachable,
    NoCredentials,
    UploadFailed,
    UsageError,
    VerifyFailed,
)
from crosswheel.formats.distributions import Distribution, read_distributions
from crosswheel.model.job import Event, Note, Transfer, deaf
from crosswheel.publishing import attestations
from crosswheel.publishing.comparison import compare, in_order
from crosswheel.publishing.delivery import _reason
from crosswheel.publishing.published import PublishedFile, PublishedProject, published_project
from crosswheel.publishing.repositories import Repository
from crosswheel.steps.upload import rehearse, upload
from crosswheel.system.pip_settings import PipSettings
from crosswheel.testing import tiny_elf, tiny_wheel
from tiny_projects import PKG_INFO, tar_of
from upload_server import Answer, UploadServer, upload_server

CANARY = "pypi-canary-5f0c1d"
WHEELS = ("tiny-1.0-cp312-cp312-manylinux_2_17_aarch64.whl", "tiny-1.0-cp313-cp313-manylinux_2_17_aarch64.whl")
SDIST = "tiny-1.0.tar.gz"


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with upload_server() as running:
        yield running


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No waiting, and nothing of whoever runs the tests: no proxy, no token, no .pypirc, no keyring."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "TWINE_USERNAME", "TWINE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def release(tmp_path: Path) -> tuple[Distribution, ...]:
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    for name in WHEELS:
        tag = name.removeprefix("tiny-1.0-").removesuffix(".whl")
        suffix = f"cpython-{tag[2:5]}-aarch64-linux-gnu.so"
        tiny_wheel(folder, tag=tag, members={f"fast.{suffix}": tiny_elf(exports=["PyInit_fast"])})
    tar_of({"PKG-INFO": PKG_INFO, "tiny.py": b""}, folder)
    return read_distributions([folder])


def repository_of(server: UploadServer, password: str = CANARY) -> Repository:
    simple = f"{server.url}simple/"
    return Repository("mine", server.url, simple, "me", password, password_from="the file .pypirc")  # noqa: S106 - a place


def send(server: UploadServer, release: tuple[Distribution, ...], password: str = CANARY, **how: Any) -> list[str]:
    repository = repository_of(server, password)
    published = functools.partial(published_project, repository, "tiny")
    listener = how.pop("listener", deaf)
    return [file.filename for file in upload(repository, release, published, listener, **how).files]


def bytes_of(release: tuple[Distribution, ...]) -> dict[str, bytes]:
    return {file.filename: file.path.read_bytes() for file in release}


def there(**files: str) -> dict[str, PublishedFile]:
    return {name: PublishedFile(name, sha256, None, "", yanked=False, url="") for name, sha256 in files.items()}


# ---- what is sent ---------------------------------------------------------------------------------------------


def test_files_are_compared_by_their_names_and_hashes(release: tuple[Distribution, ...]) -> None:
    one, two, sdist = release
    comparison = compare(release, there(**{one.filename: one.sha256, two.filename: sdist.sha256, "other.whl": "0"}))
    assert comparison.same == (one,)
    assert comparison.missing == (sdist,)
    assert [clash[0] for clash in comparison.clashing] == [two]


def test_a_file_without_a_hash_on_the_index_is_not_taken_for_the_same(release: tuple[Distribution, ...]) -> None:
    assert [clash[0] for clash in compare(release, there(**{SDIST: ""})).clashing] == [release[2]]


def test_the_sdist_comes_last_or_first(release: tuple[Distribution, ...]) -> None:
    assert [file.filename for file in in_order(release)] == [*WHEELS, SDIST]
    assert [file.filename for file in in_order(release, sdist_first=True)] == [SDIST, *WHEELS]


def test_everything_is_sent_once_with_its_hash_and_its_metadata(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    assert send(server, release) == [*WHEELS, SDIST]
    assert server.files == bytes_of(release)
    assert server.sent == [*WHEELS, SDIST]
    assert set(server.logins) == {f"me:{CANARY}"}
    assert [form["sha256_digest"] for form in server.forms] == [file.sha256 for file in release]
    assert {form["name"] for form in server.forms} == {"tiny"}
    assert [form["filetype"] for form in server.forms] == ["bdist_wheel", "bdist_wheel", "sdist"]


def test_what_is_there_is_not_sent_again(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.files[WHEELS[1]] = release[1].path.read_bytes()
    assert send(server, release, sdist_first=True) == [SDIST, WHEELS[0]]
    assert send(server, release, password="") == []  # nothing to send, and so nobody to be
    assert server.sent == [SDIST, WHEELS[0]]


def test_what_is_there_and_yanked_is_told(release: tuple[Distribution, ...]) -> None:
    repository = Repository("mine", "https://index.example/", "https://index.example/simple/", "me", "secret")
    known = there(**{file.filename: file.sha256 for file in release})
    known[SDIST] = replace(known[SDIST], yanked=True, yanked_reason="loses data")
    told: list[Event] = []
    assert upload(repository, release, lambda: PublishedProject(known), told.append).files == ()
    assert told == [Note(f"{SDIST} is on the index, but yanked: loses data")]


def test_other_bytes_under_any_name_stop_everything_before_it_begins(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.files = {WHEELS[1]: b"other", SDIST: b"older"}
    with pytest.raises(FileClash) as caught:
        send(server, release)
    assert caught.value.message.splitlines() == [
        "mine has files of the same name with different bytes",
        f"  {WHEELS[1]}: sha256 {release[1].sha256} here, {hashlib.sha256(b'other').hexdigest()} there",
        f"  {SDIST}: sha256 {release[2].sha256} here, {hashlib.sha256(b'older').hexdigest()} there",
    ]
    assert server.sent == []


def test_a_file_that_nobody_can_read_stops_everything_before_it_begins(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    release[2].path.write_bytes(b"no archive")
    with pytest.raises(CheckFailed, match=r"^tiny-1\.0\.tar\.gz cannot be sent: "):
        send(server, release)
    assert server.sent == []


def test_a_file_that_changed_meanwhile_stops_everything(
    server: UploadServer, release: tuple[Distribution, ...], tmp_path: Path
) -> None:
    tar_of({"PKG-INFO": PKG_INFO, "tiny.py": b"new"}, tmp_path / "wheelhouse")
    with pytest.raises(CheckFailed, match=r"^tiny-1\.0\.tar\.gz was not sent: it has changed since it was checked"):
        send(server, release)
    assert server.sent == []


def test_progress_is_told_and_the_last_byte_only_when_the_server_has_it(server: UploadServer, tmp_path: Path) -> None:
    path = tiny_wheel(tmp_path, members={"tiny/data": bytes(3_000_000)})
    release = read_distributions([path])
    told: list[Event] = []
    send(server, release, listener=told.append)
    transfers = [event for event in told if isinstance(event, Transfer)]
    assert transfers[0] == Transfer(path.name, 0, release[0].size, sending=True)
    assert transfers[-1] == replace(transfers[0], done=release[0].size)
    assert 5 < len(transfers) < 20
    assert [transfer.done for transfer in transfers] == sorted({transfer.done for transfer in transfers})
    told.clear()
    server.files.clear()
    server.answers = [Answer(400)]
    with pytest.raises(UploadFailed):
        send(server, release, listener=told.append)
    assert all(event.done < release[0].size for event in told if isinstance(event, Transfer))


# ---- what is hashed is what is sent ---------------------------------------------------------------------------


class Meddling:
    """A build that writes a file anew while the one before it is sent."""

    def __init__(self, path: Path, data: bytes, at: str) -> None:
        self.path, self.data, self.at = path, data, at

    def __call__(self, event: Event) -> None:
        if isinstance(event, Transfer) and (event.what, event.done) == (self.at, 0):
            self.path.write_bytes(self.data)


def test_a_file_that_changes_before_it_is_sent_stops_the_run(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    second = release[1]
    with pytest.raises(CheckFailed) as caught:
        send(server, release, listener=Meddling(second.path, second.path.read_bytes() + b"\0", WHEELS[0]))
    assert caught.value.message == f"{WHEELS[1]} was not sent: it has changed since it was checked"
    assert caught.value.hint == f"crosswheel check {second.path}"
    assert server.sent == [WHEELS[0]]


def test_a_file_that_is_gone_before_it_is_sent_stops_the_run(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    def gone(event: Event) -> None:
        if isinstance(event, Transfer):
            release[1].path.unlink(missing_ok=True)

    with pytest.raises(CheckFailed, match=f"{WHEELS[1]} was not sent: it was removed since it was checked"):
        send(server, release, listener=gone)
    assert server.sent == [WHEELS[0]]


@pytest.mark.parametrize("answers", [[], [Answer(503)]], ids=["once", "again"])
def test_a_file_that_changes_while_it_is_sent_arrives_as_it_was_hashed(
    server: UploadServer, release: tuple[Distribution, ...], answers: list[Answer]
) -> None:
    before, first = bytes_of(release), release[0]
    server.answers = answers
    send(server, release, listener=Meddling(first.path, b"other", WHEELS[0]))
    assert server.files == before
    assert {form["sha256_digest"] for form in server.forms} == {file.sha256 for file in release}


def test_copies_are_gone_afterwards(
    server: UploadServer, release: tuple[Distribution, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    send(server, release)
    assert [path for path in folder.rglob("*") if path.is_file()] == []


@pytest.mark.usefixtures("with_token")
def test_what_was_audited_is_what_is_sent(
    server: UploadServer, release: tuple[Distribution, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def changed(files: Any, *_: Any) -> Any:
        tiny_wheel(tmp_path / "wheelhouse", tag=WHEELS[0].removeprefix("tiny-1.0-").removesuffix(".whl"))
        return audit_files(files, {}, 1)

    monkeypatch.setattr("crosswheel.commands.audit.audit_files", changed)
    with pytest.raises(CheckFailed, match=f"^{WHEELS[0]} changed during the check"):
        run(tmp_path, server)
    assert server.sent == []


# ---- whether it is there --------------------------------------------------------------------------------------


def test_what_was_sent_is_looked_for(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    told: list[Event] = []
    server.late = 3
    assert send(server, release, listener=told.append) == [*WHEELS, SDIST]
    assert server.late == 0
    assert Note("mine does not list all files unchanged yet; next check in 0 s") in told


def test_what_is_never_listed_is_an_error(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.late = 10**6
    with pytest.raises(VerifyFailed) as caught:
        send(server, release, patience=0.2)
    assert caught.value.message.splitlines() == [
        "mine accepted the files, but does not list them unchanged",
        *(f"  {name}: missing" for name in (*WHEELS, SDIST)),
    ]


def test_what_is_listed_with_other_bytes_is_an_error(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.spoiled = {SDIST}
    with pytest.raises(VerifyFailed) as caught:
        send(server, release, patience=0.2)
    there = hashlib.sha256(server.files[SDIST]).hexdigest()
    assert caught.value.message.splitlines()[1:] == [f"  {SDIST}: sha256 {release[2].sha256} here, {there} there"]


def test_an_index_without_hashes_is_not_taken_for_one_with_other_bytes(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.hashes = False
    published = functools.partial(published_project, repository_of(server), "tiny")
    sent = upload(repository_of(server), release, published, deaf)
    assert sent.files == release
    assert sent.unseen == f"it states no sha256 for {', '.join([*WHEELS, SDIST])}"


@pytest.mark.usefixtures("with_token", "release")
def test_that_nobody_could_look_is_said_so(server: UploadServer, tmp_path: Path) -> None:
    server.unreadable_after = 3
    text = run(tmp_path, server, patience=0)
    assert f"could not check whether {server.url} lists the files: reading the page of tiny on " in text
    assert json.loads((tmp_path / "upload.json").read_text())["unseen"].startswith("reading the page of tiny on ")


# ---- trouble --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [Answer(500), Answer(502), Answer(503), Answer(429, headers={"Retry-After": "7"}), Answer(408), Answer(cut=True)],
    ids=["500", "502", "503", "429", "408", "cut"],
)
@pytest.mark.parametrize("kept", [False, True], ids=["lost", "arrived"])
def test_what_may_pass_is_tried_again_unless_the_file_arrived(
    server: UploadServer, release: tuple[Distribution, ...], answer: Answer, kept: bool
) -> None:
    server.answers = [replace(answer, kept=kept)]
    assert send(server, release) == [*WHEELS, SDIST]
    assert server.files == bytes_of(release)
    assert server.sent == [WHEELS[0], *WHEELS, SDIST][kept:]


def test_one_waits_longer_each_time_and_as_long_as_the_server_asks(
    server: UploadServer, release: tuple[Distribution, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    server.answers = [Answer(500), Answer(500), Answer(429, headers={"Retry-After": "40"}), Answer(500)]
    told: list[Event] = []
    send(server, release, listener=told.append)
    assert slept == [1, 2, 40, 8]
    (first, *_) = (event.text for event in told if isinstance(event, Note) and "next attempt" in event.text)
    assert first == f"sending {WHEELS[0]} to mine failed: 500 Internal Server Error; next attempt in 1 s"


def test_too_long_a_wait_is_left_to_whoever_called(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.answers = [Answer(429, headers={"Retry-After": "3600"})]
    with pytest.raises(UploadFailed, match="429 Too Many Requests; the server asks for a wait of 3600 s"):
        send(server, release)
    assert server.sent == [WHEELS[0]]


def test_trouble_that_stays_is_an_error_and_the_next_run_sends_what_is_missing(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.answers = [Answer(), *[Answer(503, page="<p>down for <b>repairs</b></p>")] * 6]
    with pytest.raises(UploadFailed) as caught:
        send(server, release)
    assert caught.value.message == (f"sending {WHEELS[1]} to mine failed: 503 Service Unavailable (down for repairs)")
    assert caught.value.hint == "the same command again: it sends only what is missing"
    assert list(server.files) == [WHEELS[0]]
    assert send(server, release) == [WHEELS[1], SDIST]
    assert server.files == bytes_of(release)


def test_a_connection_that_is_always_cut_is_the_index_out_of_reach(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.answers = [Answer(cut=True)] * 6
    with pytest.raises(IndexUnreachable, match=f"^sending {WHEELS[0]} to mine failed: "):
        send(server, release)


def test_a_file_that_arrived_with_the_last_attempt_is_there(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.answers = [*[Answer(cut=True)] * 5, Answer(cut=True, kept=True)]
    assert send(server, release) == [*WHEELS, SDIST]
    assert server.files == bytes_of(release)


def test_a_stale_page_makes_nothing_double(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.answers = [Answer(cut=True, kept=True), Answer(409, kept=True), Answer(409, kept=True)]
    server.stale = 3
    assert send(server, release) == [*WHEELS, SDIST]
    assert server.files == bytes_of(release)
    assert server.sent == [WHEELS[0], WHEELS[0], *WHEELS, SDIST]


def test_another_run_that_was_faster_is_no_failure(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.answers = [Answer(409, kept=True), Answer(400, "File already exists", kept=True)]
    assert send(server, release) == [*WHEELS, SDIST]
    assert server.sent == [*WHEELS, SDIST]


def test_another_run_with_other_bytes_is_a_clash(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.files[WHEELS[0]] = b"other"
    server.stale = 1
    with pytest.raises(FileClash):
        send(server, release)
    assert server.files == {WHEELS[0]: b"other"}


# ---- refusals -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(403, "Invalid or non-existent authentication information."), "Invalid or non-existent"),
        (
            Answer(403, page="<title>403</title><h1>403 Forbidden</h1>wrong <i>token</i> &amp; user"),
            "403 Forbidden (wrong token & user)",
        ),
        (Answer(400, page='{"message": "no such project"}'), "no such project"),
        (Answer(400, page="\x1b[2Jgone\x07"), "400 Bad Request ([2Jgone)"),
        (Answer(413), "413 Request Entity Too Large"),
    ],
)
def test_the_servers_own_reason_is_told_and_it_is_not_asked_twice(
    server: UploadServer, release: tuple[Distribution, ...], answer: Answer, said: str
) -> None:
    server.answers = [answer]
    with pytest.raises(UploadFailed) as caught:
        send(server, release)
    assert said in caught.value.message.replace("Content Too Large", "Request Entity Too Large")
    assert server.sent == [WHEELS[0]]
    hint = "export TWINE_PASSWORD_MINE=... with a token for this index and this project; the refused password is from "
    assert caught.value.hint.startswith(hint) == (answer.status == 403)


@pytest.mark.parametrize("place", ["/elsewhere/", "elsewhere/", "//127.0.0.1:1/elsewhere/"])
def test_where_one_is_sent_on_to_is_a_whole_address(
    server: UploadServer, release: tuple[Distribution, ...], place: str
) -> None:
    server.answers = [Answer(307, headers={"Location": place})]
    whole = "http://127.0.0.1:1/elsewhere/" if place.startswith("//") else f"{server.url}elsewhere/"
    with pytest.raises(UploadFailed, match=f"307, redirected to {whole}\n"):
        send(server, release)


def test_nobody_is_sent_on_to_another_server(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    server.answers = [Answer(302, headers={"Location": "http://u:p@127.0.0.1:1/"})]
    with pytest.raises(UploadFailed, match=r"302, redirected to http://\*\*\*@127\.0\.0\.1:1/\n"):
        send(server, release)


def test_without_a_token_one_is_told_what_to_set(server: UploadServer, release: tuple[Distribution, ...]) -> None:
    with pytest.raises(NoCredentials) as caught:
        send(server, release, password="")
    assert caught.value.message == "no token for mine: none is set"
    assert caught.value.hint == (
        f"export TWINE_PASSWORD_MINE=...; or keyring set {server.url} me; or see docs/upload.md"
    )
    assert server.sent == []


# ---- trusted publishing and attestations ----------------------------------------------------------------------


@pytest.fixture
def pypi(server: UploadServer, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """The server in the role of PyPI, which a CI service gives an identity for."""
    monkeypatch.setattr("twine.utils.DEFAULT_REPOSITORY", server.url)
    monkeypatch.setattr("twine.auth.detect_credential", lambda audience: f"identity for {audience}")
    monkeypatch.setattr(attestations, "find_spec", lambda _name: None)
    return replace(repository_of(server, ""), username="__token__")


def minting(monkeypatch: pytest.MonkeyPatch, answer: Mapping[str, Any], status: int = 200) -> list[Any]:
    """What PyPI answers to those who have an identity, over an https that goes nowhere."""
    import requests
    import twine.utils
    from requests.adapters import BaseAdapter

    asked: list[Any] = []
    made = twine.utils.make_requests_session

    class Minting(BaseAdapter):
        def send(self, request: requests.PreparedRequest, *how: Any, **more: Any) -> requests.Response:
            response = requests.Response()
            asked.append((request.path_url, request.body))
            minted = request.path_url == "/_/oidc/mint-token"
            response.status_code = status if minted else 200
            response.raw = io.BytesIO(json.dumps(answer if minted else {"audience": "pypi"}).encode())
            return response

        def close(self) -> None:
            pass

    def session() -> requests.Session:
        session = made()
        session.mount("https://", Minting())
        return session

    monkeypatch.setattr(twine.utils, "make_requests_session", session)
    return asked


def test_trusted_publishing_provides_the_token(
    server: UploadServer, pypi: Repository, release: tuple[Distribution, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = minting(monkeypatch, {"token": CANARY, "success": True})
    told: list[Event] = []
    published = functools.partial(published_project, pypi, "tiny")
    upload(pypi, release, published, told.append)
    assert set(server.logins) == {f"__token__:{CANARY}"}
    assert asked == [("/_/oidc/audience", None), ("/_/oidc/mint-token", b'{"token": "identity for pypi"}')]
    notes = [event.text for event in told if isinstance(event, Note)]
    assert notes == ["no attestations are sent: the extra is not installed: pip install 'crosswheel[attestations]'"]
    server.files.clear()
    server.answers = [Answer(400, f"who is {CANARY}")]
    with pytest.raises(UploadFailed, match=r"400 who is \*\*\*"):
        upload(pypi, release, published, deaf)


def test_what_pypi_says_of_an_unknown_publisher_is_told(
    server: UploadServer, pypi: Repository, release: tuple[Distribution, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = [{"code": "invalid-publisher", "description": "no such workflow"}]
    minting(monkeypatch, {"message": "refused", "errors": errors}, 422)
    with pytest.raises(NoCredentials, match="no such workflow"):
        upload(pypi, release, PublishedProject, deaf)
    assert server.sent == []


def test_outside_of_ci_there_is_no_trusted_publishing(
    pypi: Repository, release: tuple[Distribution, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    minting(monkeypatch, {})
    monkeypatch.setattr("twine.auth.detect_credential", lambda _audience: None)
    with pytest.raises(NoCredentials, match=r"^no token for mine: none is set"):
        upload(pypi, release, PublishedProject, deaf)


def test_an_attestation_beside_a_file_is_sent_with_it(
    server: UploadServer, release: tuple[Distribution, ...], tmp_path: Path
) -> None:
    attestation = {"version": 1}
    (tmp_path / "wheelhouse" / f"{SDIST}.publish.attestation").write_text(json.dumps(attestation))
    told: list[Event] = []
    send(server, release, listener=told.append)
    assert [json.loads(form.get("attestations", "[]")) for form in server.forms] == [[], [], [attestation]]
    assert Note("not all files are attested: mine is neither PyPI nor TestPyPI") in told


def test_a_broken_attestation_stops_everything(
    server: UploadServer, release: tuple[Distribution, ...], tmp_path: Path
) -> None:
    (tmp_path / "wheelhouse" / f"{SDIST}.publish.attestation").write_text("{")
    with pytest.raises(CheckFailed, match="is not an attestation"):
        send(server, release)
    assert server.sent == []


# ---- what the index would refuse ------------------------------------------------------------------------------


def days_ago(days: float) -> str:
    return (datetime.now(timezone.utc) - timedelta(days=days)).isoformat().replace("+00:00", "Z")


GIB = 1 << 30


@pytest.mark.parametrize(
    ("others", "status", "rule", "remedy"),
    [
        ({"tiny-1.0-py3-none-any.whl": (1, days_ago(15))}, {}, "W821", "give these files a new version"),
        ({"tiny-0.9.tar.gz": (10 * GIB, days_ago(99))}, {}, "W822", "delete old releases"),
        ({"Tiny-1.0.tar.gz": (1, days_ago(1))}, {}, "W823", "leave the sdist out"),
        ({}, {"status": "archived", "reason": "use huge"}, "W820", "archived: unarchive the project"),
        ({}, {"status": "quarantined"}, "W820", "ask the index's staff"),
    ],
    ids=["closed", "full", "second-sdist", "archived", "quarantined"],
)
def test_what_the_index_would_refuse_stops_everything_before_it_begins(
    server: UploadServer,
    pypi: Repository,
    release: tuple[Distribution, ...],
    others: dict[str, tuple[int, str]],
    status: dict[str, str],
    rule: str,
    remedy: str,
) -> None:
    server.others, server.status = others, status
    published = functools.partial(published_project, pypi, "tiny")
    with pytest.raises(UploadFailed, match=f"^nothing was sent: mine would refuse .*\n  {rule}: ") as caught:
        upload(pypi, release, published, deaf)
    assert remedy in caught.value.hint
    with pytest.raises(UploadFailed, match=r"^nothing was sent"):
        rehearse(pypi, release, published())
    granted = {rule: "the index granted it"}
    assert rehearse(pypi, release, published(), ignore=granted).files == release
    assert server.sent == []


def test_an_index_without_such_rules_is_not_held_to_them(
    server: UploadServer, release: tuple[Distribution, ...]
) -> None:
    server.others = {"tiny-1.0-py3-none-any.whl": (1, days_ago(15)), "tiny-0.9.tar.gz": (10 * GIB, days_ago(99))}
    assert send(server, release) == [*WHEELS, SDIST]
    server.files.clear()
    server.status = {"status": "archived"}  # which is a standard (PEP 792)
    with pytest.raises(UploadFailed, match="W820: tiny: "):
        send(server, release)


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        ("Uploading new files to releases older than 14 days is not allowed.", "give these files a new version"),
        ("Project size too large. Limit for project 'tiny' total size is 10 GB.", "delete old releases"),
        ("File too large. Limit for project 'tiny' is 100 MB.", "strip "),
        ("Only one sdist may be uploaded per release.", "leave the sdist out"),
    ],
)
def test_an_index_that_refuses_in_its_own_words_gets_the_same_remedy(
    server: UploadServer, release: tuple[Distribution, ...], answer: str, remedy: str
) -> None:
    """One that states no upload times, no sizes, or has limits that nobody knows here."""
    server.answers = [Answer(400, answer)]
    with pytest.raises(UploadFailed) as caught:
        send(server, release)
    assert answer in caught.value.message
    assert caught.value.hint.startswith(remedy)


def test_a_closed_release_that_is_complete_is_no_error(
    server: UploadServer, pypi: Repository, release: tuple[Distribution, ...]
) -> None:
    server.files, server.uploaded = bytes_of(release), dict.fromkeys([*WHEELS, SDIST], days_ago(99))
    server.status = {"status": "archived"}
    sent = upload(pypi, release, functools.partial(published_project, pypi, "tiny"), deaf)
    assert (sent.files, sent.project.status) == ((), "archived")


# ---- the verb -------------------------------------------------------------------------------------------------


def run(project: Path, server: UploadServer, **options: Any) -> str:
    stream = io.StringIO()
    given = {"repository": server.url, "json": str(project / "upload.json"), "jobs": 1, **options}
    assert run_verb("upload", project, given, stream) == 0
    return stream.getvalue()


def states(project: Path) -> list[tuple[str, str]]:
    document = json.loads((project / "upload.json").read_text())
    return [(file["file"], file["state"]) for file in document["files"]]


@pytest.fixture
def with_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWINE_USERNAME", "me")
    monkeypatch.setenv("TWINE_PASSWORD", CANARY)


@pytest.mark.usefixtures("with_token", "release")
def test_the_verb_sends_a_folder_and_says_what_it_sent(
    server: UploadServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dry = run(tmp_path, server, **{"dry-run": True})
    assert server.sent == []
    assert dry.splitlines()[-1] == f"3 files to send to {server.url}, 0 already there"
    assert states(tmp_path) == [(name, "missing") for name in (*WHEELS, SDIST)]
    text = run(tmp_path, server)
    assert f"sending {SDIST} (" in text
    assert text.splitlines()[-1].startswith(f"3 files sent to {server.url}, 0 already there · ")
    assert states(tmp_path) == [(name, "sent") for name in (*WHEELS, SDIST)]
    assert run(tmp_path, server).splitlines()[-1].startswith(f"0 files sent to {server.url}, 3 already there · ")
    assert states(tmp_path) == [(name, "there") for name in (*WHEELS, SDIST)]
    assert capsys.readouterr() == ("", "")  # twine is heard nowhere


@pytest.mark.usefixtures("release")
def test_the_verb_sends_nothing_beside_a_wheel_that_fails_the_audit(server: UploadServer, tmp_path: Path) -> None:
    bad = tiny_wheel(tmp_path / "wheelhouse", tag="cp314-cp314-manylinux_2_17_aarch64")
    with pytest.raises(AuditFailed, match=f"nothing was sent: the audit found errors in {bad.name}"):
        run(tmp_path, server)
    assert server.sent == []


@pytest.mark.usefixtures("release")
@pytest.mark.parametrize("place", ["environment", "pypirc", "address"])
@pytest.mark.parametrize("trouble", ["none", "echo", "page", "dead", "cut", "clash", "pypirc"])
def test_no_secret_is_ever_seen(
    server: UploadServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    place: str,
    trouble: str,
) -> None:
    """Wherever it was given, and whatever goes wrong, even where the server repeats it."""
    import base64

    caplog.set_level(0)
    monkeypatch.setattr("crosswheel.commands.upload.read_pip_settings", lambda *_: PipSettings())  # which takes a while
    encoded = base64.b64encode(f"me:{CANARY}".encode()).decode()
    url = server.url if place != "address" else server.url.replace("//", f"//me:{CANARY}@")
    if trouble == "dead":
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            url = url.replace(server.url.rpartition(":")[2], f"{nobody.getsockname()[1]}/")
    if place == "environment":
        monkeypatch.setenv("TWINE_USERNAME", "me")
        monkeypatch.setenv("TWINE_PASSWORD", CANARY)
    if place == "pypirc":
        broken = "no section\n" if trouble == "pypirc" else ""
        login = f"username = me\npassword = {CANARY}\n"
        text = f"{broken}[distutils]\nindex-servers = mine\n[mine]\nrepository = {url}\n{login}"
        (tmp_path / "home" / ".pypirc").write_text(text)
        url = "mine"
    server.answers = {
        "echo": [Answer(400, f"who is {CANARY}", f"{encoded} {CANARY}"), Answer(400, page=f"{encoded} {CANARY}")],
        "page": [Answer(400, page=f"{'x' * (500 - len(encoded) // 2)} {encoded}")] * 2,
        "cut": [Answer(cut=True)] * 20,
    }.get(trouble, [])
    if trouble == "clash":
        server.files[SDIST] = b"other"
    seen = ""
    for _ in range(2):
        stream = io.StringIO()
        try:
            run_verb("upload", tmp_path, {"repository": url, "json": str(tmp_path / "upload.json")}, stream)
        except CrosswheelError as error:
            seen += "".join(traceback.format_exception(error)) + repr(error) + repr(error.__context__)
        seen += stream.getvalue()
    seen += "".join(path.read_text() for path in tmp_path.glob("*.json"))
    captured = capfd.readouterr()
    seen += captured.out + captured.err + caplog.text + repr([record.args for record in caplog.records])
    assert seen
    assert CANARY not in seen
    assert encoded[: len(encoded) // 3] not in seen


SPELLINGS: tuple[Callable[[str], str], ...] = (
    str, quote, quote_plus, html.escape, repr, json.dumps, lambda text: quote(text, safe=""),
    lambda text: text.encode().decode("latin-1"), lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
)  # fmt: skip


@hypothesis.settings(deadline=None)
@given(
    st.text(st.sampled_from("/@ #?%:<b>&\"'\\\té中"), max_size=6),
    st.text(st.sampled_from("/@ #?%:<b>&\"'\\\té中"), max_size=6),
    st.sampled_from(SPELLINGS),
    st.sampled_from(["page", "line"]),
)
def test_a_password_that_the_server_repeats_is_hidden_however_it_spells_it(
    before: str, after: str, spell: Callable[[str], str], place: str
) -> None:
    password = f"{before}{CANARY}{after}"
    request = requests.Request("POST", "http://127.0.0.1/", auth=(b"me", password.encode())).prepare()
    response = requests.Response()
    response.request, response.status_code, response.encoding = request, 400, "utf-8"
    response.reason = spell(password) if place == "line" else "Bad Request"
    response._content = f"<p>you sent {spell(password)}</p>".encode() if place == "page" else b""
    said = _reason(response)
    assert CANARY not in said
    assert base64.b64encode(f"me:{password}".encode()).decode() not in said


@pytest.mark.parametrize(
    ("uploaded", "said", "left"),
    [
        (days_ago(0.5), "accepts new files of tiny 1.0 until ", 13),
        ("", "accepts new files of a release for 14 days; the days left for tiny 1.0 are unknown", None),
    ],
    ids=["known", "unknown"],
)
def test_the_days_that_are_left_are_told(
    tmp_path: Path,
    server: UploadServer,
    pypi: Repository,
    release: tuple[Distribution, ...],
    with_token: None,
    uploaded: str,
    said: str,
    left: int | None,
) -> None:
    table = f'[tool.crosswheel.index]\n"{server.url}" = "{server.url}simple/"\n'
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "tiny"\n{table}')
    server.files = {WHEELS[0]: release[0].path.read_bytes()}
    server.uploaded = {WHEELS[0]: uploaded} if uploaded else {}
    server.status = {"status": "deprecated", "reason": "use huge"}
    for options in ({"dry-run": True}, {}):
        text = run(tmp_path, server, **options)
        assert said in text
        assert f"tiny is deprecated on {server.url}: use huge\n" in text
        document = json.loads((tmp_path / "upload.json").read_text())
        assert (document["days_left"], document["project_status"], document["status_reason"]) == (
            left,
            "deprecated",
            "use huge",
        )
        assert bool(document["closes"]) == bool(uploaded)


def test_plain_http_to_another_machine_is_refused(tmp_path: Path, release: Mapping[str, bytes]) -> None:
    with pytest.raises(UsageError, match="is plain http to another machine"):
        run_verb("upload", tmp_path, {"repository": "http://192.0.2.1/"}, io.StringIO())
