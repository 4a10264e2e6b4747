from __future__ import annotations

import hashlib
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from crosswheel.errors import IndexUnreachable, NoCredentials, SourceError, TooManyRequests
from crosswheel.model.job import Event, Note, Transfer
from crosswheel.pipeline.source import fetch, requires_python_of
from crosswheel.system.hashes import sha256_of
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import Answers
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings, read_pip_settings
from crosswheel.system.process import CommandFailed, Processes
from index_server import IndexServer, index_server
from tiny_projects import tar_of, tiny_host

DATA = b"x" * 300_000


@pytest.fixture
def server() -> Iterator[IndexServer]:
    with index_server() as running:
        running.files["tiny"] = {"tiny-1.0.tar.gz": DATA}
        yield running


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries wait for the network to come back; here it will not."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


def index_of(server: IndexServer, cache: Path, *, offline: bool = False) -> Index:
    return Index(PipSettings(index_url=server.url), cache, offline=offline)


def host_of(server: IndexServer, folder: Path, *, offline: bool = False) -> LocalHost:
    return replace(tiny_host(folder), index=index_of(server, folder / "cache", offline=offline))


def take(index: Index, name: str = "tiny-1.0.tar.gz", project: str = "tiny") -> Path:
    (package,) = (package for package in index.files_of(project) if package.filename == name)
    return index.fetch(package)


def kept(cache: Path) -> list[str]:
    """Every file in the cache, under final names and others."""
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def sdist(folder: Path, version: str = "1.0", requires_python: str = "") -> bytes:
    info = f"Name: tiny\nVersion: {version}\nRequires-Python: {requires_python}\n".encode()
    return tar_of({"PKG-INFO": info}, folder, top=f"tiny-{version}/", name=f"tiny-{version}.tar.gz").read_bytes()


# ---- fetching -------------------------------------------------------------------------------------------------


def test_a_file_is_fetched_once_and_kept_by_its_hash(server: IndexServer, tmp_path: Path) -> None:
    index = index_of(server, tmp_path)
    path = take(index)
    assert path == tmp_path / "files" / hashlib.sha256(DATA).hexdigest() / "tiny-1.0.tar.gz"
    assert sha256_of(path) == path.parent.name
    assert take(index) == path
    assert [asked for asked in server.asked if asked.startswith("/files/")] == ["/files/tiny/tiny-1.0.tar.gz"]


def test_a_kept_file_that_was_changed_is_fetched_again(server: IndexServer, tmp_path: Path) -> None:
    index = index_of(server, tmp_path)
    path = take(index)
    path.write_bytes(b"something else")
    assert take(index) == path
    assert path.read_bytes() == DATA


def test_a_kept_sdist_that_was_changed_does_not_serve_offline(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {"tiny-1.0.tar.gz": sdist(tmp_path)}
    path = fetch("tiny==1.0", host_of(server, tmp_path), tmp_path, deaf).path
    path.write_bytes(sdist(tmp_path, requires_python=">=3.99"))
    with pytest.raises(IndexUnreachable):
        fetch("tiny==1.0", host_of(server, tmp_path, offline=True), tmp_path, deaf)
    assert fetch("tiny==1.0", host_of(server, tmp_path), tmp_path, deaf).requires_python == ""


def test_progress_is_told_to_the_last_byte(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"]["tiny-1.0.tar.gz"] = b"x" * 5_000_000
    told: list[Event] = []
    take(replace(index_of(server, tmp_path), listener=told.append))
    assert told[-1] == Transfer("tiny-1.0.tar.gz", 5_000_000, 5_000_000)
    assert len(told) == 3


def test_other_bytes_than_promised_are_refused_and_not_kept(server: IndexServer, tmp_path: Path) -> None:
    server.promised["tiny-1.0.tar.gz"] = "0" * 64
    with pytest.raises(SourceError) as caught:
        take(index_of(server, tmp_path))
    found = hashlib.sha256(DATA).hexdigest()
    assert caught.value.message == (f"tiny-1.0.tar.gz has the wrong sha256: {found}, expected {'0' * 64}")
    assert (
        caught.value.hint == "the same command again; if it keeps failing, ask the operator of the index or the proxy"
    )
    assert kept(tmp_path) == []


def test_a_file_without_a_hash_is_refused(server: IndexServer, tmp_path: Path) -> None:
    server.promised["tiny-1.0.tar.gz"] = ""
    with pytest.raises(SourceError, match=r"the index states no sha256 for tiny-1\.0\.tar\.gz, so it cannot"):
        take(index_of(server, tmp_path))


@pytest.mark.parametrize("sha256", ["../../../elsewhere", "", "0" * 63])
def test_what_is_no_hash_becomes_no_folder(server: IndexServer, tmp_path: Path, sha256: str) -> None:
    index = index_of(server, tmp_path / "cache")
    (package,) = index.files_of("tiny")
    with pytest.raises(SourceError, match=r"the index states no sha256 for tiny-1\.0\.tar\.gz"):
        index.fetch(replace(package, digests={"sha256": sha256}))
    assert [path.name for path in tmp_path.iterdir()] == []


def test_a_connection_that_is_cut_half_way_is_tried_again(server: IndexServer, tmp_path: Path) -> None:
    server.cuts = 2
    assert take(index_of(server, tmp_path)).read_bytes() == DATA
    assert kept(tmp_path) == ["tiny-1.0.tar.gz"]


def test_a_connection_that_is_always_cut_is_one_error_and_leaves_nothing(server: IndexServer, tmp_path: Path) -> None:
    server.cuts = 99
    with pytest.raises(IndexUnreachable) as caught:
        take(index_of(server, tmp_path))
    assert caught.value.message.startswith("downloading tiny-1.0.tar.gz failed: ")
    assert caught.value.hint.startswith("pip config list")
    assert server.cuts == 96
    assert kept(tmp_path) == []


def test_an_index_in_trouble_is_asked_again(server: IndexServer, tmp_path: Path) -> None:
    server.errors = 2
    assert take(index_of(server, tmp_path)).read_bytes() == DATA


def test_an_index_that_asks_for_an_hour_does_not_get_it(
    server: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    server.errors, server.retry_after = 1, 3600
    assert take(index_of(server, tmp_path)).read_bytes() == DATA
    assert max(waits) == 20


def test_an_index_that_goes_on_limiting_requests_is_an_error_of_its_own(
    server: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    server.errors, server.failing = 99, 429
    with pytest.raises(TooManyRequests) as caught:
        take(index_of(server, tmp_path))
    assert caught.value.hint.startswith("the same command again")


def test_an_index_that_stays_in_trouble_is_one_error(server: IndexServer, tmp_path: Path) -> None:
    server.errors = 99
    with pytest.raises(IndexUnreachable, match=r"^reading the index page of tiny failed: "):
        take(index_of(server, tmp_path))


def test_an_index_that_does_not_answer_is_one_error(tmp_path: Path) -> None:
    with socket.socket() as nobody:  # bound, and never listened on: every connection is refused
        nobody.bind(("127.0.0.1", 0))
        url = f"http://user:pa55w0rd@127.0.0.1:{nobody.getsockname()[1]}/simple/"
        with pytest.raises(IndexUnreachable, match=r"^reading the index page of tiny failed: ") as caught:
            Index(PipSettings(index_url=url), tmp_path).files_of("tiny")
    assert "pa55w0rd" not in str(caught.value)


@pytest.mark.parametrize("trouble", ["errors", "cuts", "unknown", "promise"])
def test_credentials_in_the_address_never_reach_an_error(server: IndexServer, tmp_path: Path, trouble: str) -> None:
    url = server.url.replace("//", "//user:pa55w0rd@")
    server.url = url  # the files' addresses carry them too, as some private indexes write them
    if trouble == "promise":
        server.promised["tiny-1.0.tar.gz"] = "0" * 64
    elif trouble != "unknown":
        setattr(server, trouble, 99)
    with pytest.raises((IndexUnreachable, SourceError)) as caught:
        take(Index(PipSettings(index_url=url), tmp_path), project="nobody" if trouble == "unknown" else "tiny")
    assert "pa55w0rd" not in str(caught.value)
    assert "user" not in str(caught.value)


# ---- which file -----------------------------------------------------------------------------------------------


def test_an_unknown_project_is_said_so(server: IndexServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        index_of(server, tmp_path).files_of("nobody")
    assert caught.value.message == "the index has no project 'nobody'"
    assert caught.value.hint == "check the spelling, or give a folder or an sdist file"


def deaf(_event: Event) -> None:
    pass


def test_the_newest_final_release_is_taken(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {
        f"tiny-{version}.tar.gz": sdist(tmp_path, version) for version in ("0.9", "1.10", "1.9", "2.0rc1", "3.0")
    }
    server.yanked.add("tiny-3.0.tar.gz")
    host = host_of(server, tmp_path)
    assert fetch("tiny", host, tmp_path, deaf).version == "1.10"
    assert fetch("tiny==2.0rc1", host, tmp_path, deaf).version == "2.0rc1"
    assert fetch("tiny==3.0", host, tmp_path, deaf).version == "3.0"


def test_a_release_that_is_yanked_is_taken_where_it_is_named_and_told(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {"tiny-1.0.tar.gz": sdist(tmp_path)}
    server.yanked.add("tiny-1.0.tar.gz")
    server.yanked_reason = "loses data"
    host = host_of(server, tmp_path)
    with pytest.raises(SourceError) as caught:
        fetch("tiny", host, tmp_path, deaf)
    assert caught.value.message.startswith("every release of tiny is yanked or a pre-release")
    assert caught.value.hint == "tiny==1.0"
    told: list[Event] = []
    assert fetch("tiny==1.0", host, tmp_path, told.append).version == "1.0"
    assert Note("tiny-1.0.tar.gz is yanked on the index: loses data") in told


@pytest.mark.parametrize("info", [b"Name: evil\nVersion: 1.0\n", b"Name: tiny\nVersion: 2.0\n"])
@pytest.mark.parametrize("source", ["tiny", "tiny==1.0"])
def test_an_sdist_that_is_another_than_was_asked_for_is_refused(
    server: IndexServer, tmp_path: Path, info: bytes, source: str
) -> None:
    archive = tar_of({"PKG-INFO": info}, tmp_path, top="tiny-1.0/", name="tiny-1.0.tar.gz")
    server.files["tiny"] = {"tiny-1.0.tar.gz": archive.read_bytes()}
    for _ in range(2):  # fetched, and kept
        with pytest.raises(
            SourceError, match=r"^tiny 1\.0 was requested, but the metadata of tiny-1\.0\.tar\.gz is of "
        ):
            fetch(source, host_of(server, tmp_path), tmp_path, deaf)


def test_files_of_other_projects_on_its_page_are_no_releases(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {"evil-2.0.tar.gz": b"", "tiny-1.0.tar.gz": sdist(tmp_path)}
    assert fetch("tiny", host_of(server, tmp_path), tmp_path, deaf).version == "1.0"


# ---- who reads, and what answers ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("login", ["", "me:wrong@"])
def test_an_index_that_lets_us_not_read_says_what_to_set(
    server: IndexServer, tmp_path: Path, status: int, login: str
) -> None:
    server.login, server.refusing = "me:right", status
    settings = PipSettings(index_url=server.url.replace("//", f"//{login}"))
    with pytest.raises(NoCredentials) as caught:
        Index(settings, tmp_path).files_of("tiny")
    assert caught.value.exit_code == 23
    assert caught.value.message.startswith(f"reading the index page of tiny failed: {status} ")
    assert ("refuses this user or this password" in caught.value.message) == bool(login)
    assert "PIP_INDEX_URL=https://USER:PASSWORD@127.0.0.1:" in caught.value.hint
    assert "~/.netrc" in caught.value.hint
    assert "wrong" not in str(caught.value)


@pytest.mark.parametrize("place", ["address", "netrc"])
def test_who_reads_is_told_to_the_index_and_for_its_files(
    server: IndexServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    server.login = "mé:p@ss/ word" if place == "address" else "me:secret"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc") if place == "netrc" else "/nowhere")
    login = f"{quote('mé')}:{quote('p@ss/ word', safe='')}@" if place == "address" else ""
    index = Index(PipSettings(index_url=server.url.replace("//", f"//{login}")), tmp_path / "cache")
    assert take(index).read_bytes() == DATA


def test_a_password_in_the_address_is_not_told_to_another_server(server: IndexServer, tmp_path: Path) -> None:
    with index_server() as other:
        other.files["tiny"] = server.files["tiny"]
        other.login = "me:secret"
        server.url, home = other.url, server.url  # where its page says that files are
        with pytest.raises(NoCredentials, match="no user name and password are set"):
            take(Index(PipSettings(index_url=home.replace("//", "//me:secret@")), tmp_path))


LOGIN = (
    '<html><title>Sign in</title><form action="/go"><input type="password"></form><a href="/lost">Lost it?</a></html>'
)


@pytest.mark.parametrize(
    "page", [LOGIN, "<div id=root></div><script src=app.js></script>", '<meta http-equiv="refresh" content="0;/login">']
)
@pytest.mark.parametrize("moved", [False, True])
def test_a_page_to_log_in_on_is_no_empty_index(server: IndexServer, tmp_path: Path, page: str, moved: bool) -> None:
    server.pages["login" if moved else "tiny"] = page
    if moved:
        server.moved["tiny"] = "/simple/login/?next=tiny"
    with pytest.raises(IndexUnreachable) as caught:
        index_of(server, tmp_path).files_of("tiny")
    assert "is an ordinary web page, perhaps for a login, not an index" in caught.value.message
    assert "PIP_INDEX_URL=" in caught.value.hint


@pytest.mark.parametrize(
    "page",
    [
        "",
        "<!DOCTYPE html><html><body></body></html>",
        "<html><head><title>Links for tiny</title></head><body><h1>Links for tiny</h1><form></form></body></html>",
        '<meta name="pypi:repository-version" content="1.0"><script></script>',
    ],
)
def test_an_empty_page_of_an_index_is_one(server: IndexServer, tmp_path: Path, page: str) -> None:
    server.pages["tiny"] = page
    assert index_of(server, tmp_path).files_of("tiny") == []


def test_a_page_with_files_is_one_whatever_else_is_on_it(server: IndexServer, tmp_path: Path) -> None:
    server.pages["tiny"] = f'{LOGIN}<a href="/files/tiny/tiny-1.0.tar.gz">tiny-1.0.tar.gz</a>'
    names = [package.filename for package in index_of(server, tmp_path).files_of("tiny")]
    assert "tiny-1.0.tar.gz" in names


# ---- what is taken --------------------------------------------------------------------------------------------


def test_a_project_of_wheels_only_is_said_so(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {"tiny-1.0-py3-none-any.whl": b"", "tiny-1.1-py3-none-any.whl": b""}
    with pytest.raises(SourceError) as caught:
        fetch("tiny", host_of(server, tmp_path), tmp_path, deaf)
    assert caught.value.message == "the index has wheels of tiny 1.1, but no sdist to build from"
    assert caught.value.hint == "clone its repository and give the folder"


def test_an_older_release_does_not_stand_in_for_the_newest(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {"tiny-1.0.tar.gz": b"", "tiny-1.1-py3-none-any.whl": b""}
    with pytest.raises(SourceError) as caught:
        fetch("tiny", host_of(server, tmp_path), tmp_path, deaf)
    assert caught.value.message == "the index has wheels of tiny 1.1, but no sdist to build from"
    assert caught.value.hint == "tiny==1.0, which has one"


def test_a_release_that_is_not_there_is_said_so(server: IndexServer, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as caught:
        fetch("tiny==7", host_of(server, tmp_path), tmp_path, deaf)
    assert (caught.value.message, caught.value.hint) == ("the index has no release tiny==7", "pip index versions tiny")


# ---- without the network --------------------------------------------------------------------------------------


def test_offline_nothing_is_asked_for(server: IndexServer, tmp_path: Path) -> None:
    host = host_of(server, tmp_path, offline=True)
    with pytest.raises(IndexUnreachable) as caught:
        fetch("tiny", host, tmp_path, deaf)
    assert caught.value.message == "tiny is not in the cache, and --offline forbids access to the index"
    assert caught.value.hint == "run the same command without --offline"
    assert server.asked == []


def test_what_was_fetched_before_serves_offline(server: IndexServer, tmp_path: Path) -> None:
    server.files["tiny"] = {
        "tiny-1.0.tar.gz": sdist(tmp_path, "1.0", ">=3.8"), "tiny-2.0.tar.gz": sdist(tmp_path, "2.0", ">=3.9"),
    }  # fmt: skip
    online, offline = host_of(server, tmp_path), host_of(server, tmp_path, offline=True)
    for version in ("2.0", "1.0"):
        fetch(f"tiny=={version}", online, tmp_path, deaf)
    server.asked.clear()
    assert fetch("tiny", offline, tmp_path, deaf).version == "2.0"
    assert fetch("Tiny==1.0", offline, tmp_path, deaf).version == "1.0"
    assert requires_python_of("tiny==1.0", online) == ">=3.8"
    assert server.asked == []


# ---- the caller's settings ------------------------------------------------------------------------------------


def test_pips_own_settings_hold_the_environment_over_files(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text(
        "[global]\nindex-url = http://127.0.0.1:1/a\nextra-index-url =\n  http://127.0.0.1:1/x\n  http://127.0.0.1:1/y\n"
        f"cert = /ca.pem\n[install]\nfind-links = /missing {tmp_path}\n"
    )
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(conf)}
    settings = read_pip_settings(Processes(), environ)
    assert settings.index_url == "http://127.0.0.1:1/a"
    assert settings.extra_index_urls == ("http://127.0.0.1:1/x", "http://127.0.0.1:1/y")
    assert settings.find_links == ("/missing", str(tmp_path))
    assert settings.uv_environ == {
        "UV_DEFAULT_INDEX": "http://127.0.0.1:1/a",
        "UV_INDEX": "http://127.0.0.1:1/x http://127.0.0.1:1/y",
        "UV_FIND_LINKS": str(tmp_path),  # pip ignores a folder that is missing; uv would end
        "SSL_CERT_FILE": "/ca.pem",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    environ |= {"PIP_INDEX_URL": "http://127.0.0.1:1/b"}
    assert read_pip_settings(Processes(), environ).index_url == "http://127.0.0.1:1/b"


def test_uv_trusts_whom_we_trust(tmp_path: Path) -> None:
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": "/dev/null"}
    file = read_pip_settings(Processes(), {**environ, "REQUESTS_CA_BUNDLE": "/b.pem", "PIP_CLIENT_CERT": "/own.pem"})
    assert file.uv_environ == {"SSL_CERT_FILE": "/b.pem", "SSL_CLIENT_CERT": "/own.pem"}
    folder = read_pip_settings(Processes(), {**environ, "REQUESTS_CA_BUNDLE": str(tmp_path)})
    assert folder.uv_environ == {"SSL_CERT_DIR": str(tmp_path)}


def test_pip_is_asked_again_when_its_files_are_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    conf, asked = tmp_path / "pip.conf", list[Sequence[str]]()
    conf.write_text("[global]\nindex-url = http://127.0.0.1:1/a\n")

    class Counted(Processes):
        def run(self, argv: Sequence[str], **how: Any) -> str:
            asked.append(argv)
            return super().run(argv, **how)

    def index_url(**more: str) -> str:
        environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(conf), **more}
        return read_pip_settings(Counted(), environ, Answers(tmp_path / "answers")).index_url

    monkeypatch.setattr("crosswheel.system.memo._SETTLED", -60)  # a file that has just changed is not trusted to stay
    assert [index_url(), index_url()] == ["http://127.0.0.1:1/a"] * 2
    assert len(asked) == 1
    assert index_url(PIP_INDEX_URL="http://127.0.0.1:1/b") == "http://127.0.0.1:1/b"
    assert len(asked) == 1  # pip's own variables are read without it
    conf.write_text("[global]\nindex-url = http://127.0.0.1:1/c\n")
    assert index_url() == "http://127.0.0.1:1/c"
    assert len(asked) == 2
    # Of files that were not there it knows, too.
    assert [index_url(PIP_CONFIG_FILE="/nowhere/pip.conf"), len(asked)] == ["", 3]
    assert [index_url(PIP_CONFIG_FILE="/nowhere/pip.conf"), len(asked)] == ["", 3]
    (tmp_path / ".pip").mkdir()
    (tmp_path / ".pip" / "pip.conf").write_text("[global]\nindex-url = http://127.0.0.1:1/d\n")
    assert index_url(PIP_CONFIG_FILE="/nowhere/pip.conf") == "http://127.0.0.1:1/d"


def test_settings_with_a_password_in_them_are_not_written_down(tmp_path: Path) -> None:
    address = "https://user:secret@127.0.0.1/simple"
    conf, answers = tmp_path / "pip.conf", tmp_path / "answers"
    conf.write_text(f"[global]\nindex-url = {address}\n")
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(conf)}
    assert read_pip_settings(Processes(), environ, Answers(answers)).index_url == address
    assert not answers.exists()
    environ |= {"PIP_CONFIG_FILE": "/dev/null", "PIP_INDEX_URL": address}
    assert read_pip_settings(Processes(), environ, Answers(answers)).index_url == address
    assert not any(b"secret" in path.read_bytes() for path in answers.rglob("*") if path.is_file())


def test_an_empty_variable_is_as_none(tmp_path: Path) -> None:
    conf = tmp_path / "pip.conf"
    conf.write_text("[global]\nindex-url = http://127.0.0.1:1/a\n")
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PIP_CONFIG_FILE": str(conf), "PIP_INDEX_URL": ""}
    assert read_pip_settings(Processes(), environ).index_url == "http://127.0.0.1:1/a"


def test_without_pip_there_are_no_settings(tmp_path: Path) -> None:
    class Failing(Processes):
        def run(self, argv: Sequence[str], **how: Any) -> str:
            raise CommandFailed(argv, 1, "No module named pip")

    assert read_pip_settings(Failing(), {}, Answers(tmp_path)) == PipSettings()


def test_folders_and_files_of_this_machine_mean_nothing_elsewhere() -> None:
    settings = PipSettings(
        index_url="https://index.example/simple",
        extra_index_urls=("file:///srv/wheels", "http://user:secret@extra.example/simple", "/srv/index"),
        find_links=("/srv/wheels", "https://links.example/", "file:///srv/wheels"),
        cert="/etc/ssl/own.pem",
    )
    assert settings.remote == PipSettings(
        index_url="https://index.example/simple",
        extra_index_urls=("http://user:secret@extra.example/simple",),
        find_links=("https://links.example/",),
    )
    assert PipSettings(index_url="file:///srv/index").remote == PipSettings()
