"""Which index is meant, where it is read, and who one is there."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypi_simple import PYPI_SIMPLE_ENDPOINT
from twine.utils import DEFAULT_REPOSITORY, TEST_REPOSITORY

from crosswheel.errors import IndexUnreachable, UsageError
from crosswheel.model.config_reader import load_config
from crosswheel.publishing.repositories import Repository, find_repository, variable
from crosswheel.system.trust import Trust
from upload_server import UploadServer, upload_server

TOKEN = "a-token-for-tests"  # noqa: S105


@pytest.fixture
def server() -> Iterator[UploadServer]:
    with upload_server() as running:
        yield running


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def found(folder: Path, text: str, environ: dict[str, str] | None = None, **flags: Any) -> Repository:
    options = {name.replace("_", "-"): value for name, value in flags.items()}
    return find_repository(text, load_config(folder, options), environ or {})


def password(folder: Path, text: str, environ: dict[str, str] | None = None) -> str:
    return found(folder, text, environ).password


def refused(folder: Path, text: str, **flags: Any) -> str:
    with pytest.raises(UsageError) as caught:
        found(folder, text, **flags)
    return str(caught.value)


def pypirc(home: Path, **sections: dict[str, str]) -> None:
    text = f"[distutils]\nindex-servers = {' '.join(sections)}\n"
    for name, section in sections.items():
        text += f"[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in section.items())
    (home / ".pypirc").write_text(text)


def index(folder: Path, table: dict[str, str]) -> None:
    rows = "".join(f"{json.dumps(name)} = {json.dumps(url)}\n" for name, url in table.items())
    (folder / "pyproject.toml").write_text(f"[tool.crosswheel.index]\n{rows}")


# ---- which ----------------------------------------------------------------------------------------------------


def test_pypi_and_testpypi_go_by_their_names(home: Path) -> None:
    pypi, testpypi = found(home, "pypi"), found(home, "testpypi")
    assert (pypi.upload_url, pypi.simple_url) == (DEFAULT_REPOSITORY, PYPI_SIMPLE_ENDPOINT)
    assert testpypi.upload_url == TEST_REPOSITORY
    assert testpypi.simple_url == TEST_REPOSITORY.replace("legacy", "simple")
    assert (pypi.username, pypi.password, pypi.is_pypi) == ("__token__", "", True)


def test_testpypi_is_known_to_a_pypirc_that_does_not_list_it(home: Path) -> None:
    pypirc(home, mine={"repository": "https://index.example/up/"})
    assert found(home, "testpypi").upload_url == TEST_REPOSITORY


def test_pypirc_is_read_as_twine_does(home: Path) -> None:
    pypirc(home, mine={"repository": "https://me:p%40ss@index.example/up/", "ca_cert": "/ca.pem"})
    index(home, {"mine": "https://index.example/read"})
    assert found(home, "mine") == Repository(
        "mine", "https://index.example/up/", "https://index.example/read/", "me", "p@ss", Trust("/ca.pem")
    )


def test_a_repository_knows_where_its_password_is_from(home: Path) -> None:
    url = "https://index.example/up/"
    pypirc(
        home,
        mine={"repository": url, "username": "me", "password": TOKEN},
        theirs={"repository": "https://me:secret@index.example/up/"},
        bare={"repository": url},
    )
    index(home, dict.fromkeys(("mine", "theirs", "bare"), "https://index.example/read/"))
    both = {"TWINE_PASSWORD": TOKEN, "TWINE_PASSWORD_MINE": TOKEN}
    assert [
        found(home, "mine", both).password_from,
        found(home, "mine", {"TWINE_PASSWORD": TOKEN}).password_from,
        found(home, "mine").password_from,
        found(home, "theirs").password_from,
        found(home, "bare").password_from,
    ] == ["the variable TWINE_PASSWORD_MINE", "the variable TWINE_PASSWORD", "the file .pypirc", "the address", ""]


def test_another_pypirc_may_be_named(home: Path) -> None:
    pypirc(home, mine={"repository": "https://index.example/up/", "username": "me", "password": TOKEN})
    (home / ".pypirc").rename(home / "other")
    index(home, {"https://index.example/up/": "https://index.example/read/"})
    assert found(home, "mine", config_file=str(home / "other")).password == TOKEN
    assert "there is no file" in refused(home, "mine", config_file=str(home / "nowhere"))


def test_an_unknown_name_is_said_so_with_those_that_are_known(home: Path) -> None:
    pypirc(home, private={"repository": "https://index.example/up/"})
    text = refused(home, "privat")
    assert "~/.pypirc has no repository 'privat' (did you mean private?); known: testpypi, pypi, private" in text


def test_a_broken_pypirc_is_said_so_and_not_shown(home: Path) -> None:
    (home / ".pypirc").write_text(f"password = {TOKEN}\n")
    text = refused(home, "pypi")
    assert text.startswith("~/.pypirc cannot be read: line 1 comes before the first [section]")
    assert TOKEN not in text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"\npassword = {TOKEN}\n", "line 2 comes before the first [section]"),
        (f"[pypi]\nusername = me\npassword {TOKEN}\n[mine]\n{TOKEN}\n", "no `option = value` in lines 3, 5"),
        (f"[pypi]\n{TOKEN}\n", "no `option = value` in line 2"),
        (f"[mine]\n[{TOKEN}]\n[{TOKEN}]\n", "line 3 repeats a section"),
        (f"[mine]\n{TOKEN} = 1\n{TOKEN} = 2\n", "line 3 repeats an option"),
    ],
)
def test_mistakes_in_a_pypirc_are_told_by_their_lines_and_not_shown(home: Path, text: str, said: str) -> None:
    (home / ".pypirc").write_text(text)
    told = refused(home, "pypi")
    assert told.startswith(f"~/.pypirc cannot be read: {said}\n")
    assert TOKEN not in told


def test_a_pypirc_that_is_no_utf_8_is_said_so(home: Path) -> None:
    (home / ".pypirc").write_bytes("[pypi]\npassword = ä\n".encode("latin-1"))
    assert refused(home, "pypi").startswith("cannot read ~/.pypirc: ")


@pytest.mark.parametrize("text", ["ftp://index.example/", "https://", "https://[oops/", "https://index.example:port/"])
def test_an_address_that_is_none_is_said_so(home: Path, text: str) -> None:
    assert "does not begin with https://" in refused(home, text)


@pytest.mark.parametrize(
    "text",
    [
        f"https://me:{TOKEN}/x@index.example/up/",
        f"https://me:{TOKEN}#x@index.example/up/",
        f"https://index.example/up/?token={TOKEN}",
        f"https://index.example/up/#{TOKEN}",
        f"https:/me:{TOKEN}@index.example/up/",
        f"me:{TOKEN}@index.example/up/",
        f"https://me:12/{TOKEN}@index.example/up/",
        f"https://me:p@ss/{TOKEN}@index.example/up/",
    ],
)
def test_a_mistyped_address_shows_no_password(home: Path, text: str) -> None:
    said = refused(home, text)
    assert TOKEN not in said
    assert "index.example/up/" in said


@pytest.mark.parametrize(
    "text", ["http://index.example/", "http://192.0.2.1/up/", "http://me:secret@localhost.example/"]
)
def test_plain_http_to_another_machine_is_refused_unless_allowed(home: Path, text: str) -> None:
    said = refused(home, text)
    assert "plain http to another machine" in said
    assert "secret" not in said
    bare = text.replace("me:secret@", "")
    index(home, {bare: f"{bare}simple/"})
    assert found(home, text, allow_http=True).upload_url == bare


def test_plain_http_is_refused_for_reading_too(home: Path) -> None:
    index(home, {"pypi": "http://index.example/simple/"})
    assert "plain http to another machine" in refused(home, "pypi")


def test_a_password_in_pyproject_is_refused(home: Path) -> None:
    index(home, {"pypi": "https://me:secret@index.example/simple/"})
    said = refused(home, "pypi")
    assert said.startswith("index.pypi: pyproject.toml must not contain user names and passwords")
    assert "secret" not in said


def test_a_password_without_a_name_is_refused_there_too(home: Path) -> None:
    index(home, {"pypi": "https://:secret@index.example/simple/"})
    assert refused(home, "pypi").startswith("index.pypi: pyproject.toml must not contain user names and passwords")


def test_a_host_that_can_have_no_such_name_is_an_index_out_of_reach(home: Path) -> None:
    with pytest.raises(IndexUnreachable):
        found(home, "https://index..example/up/")


# ---- where it is read -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("simple", ["/simple/", "/+simple/"])
def test_an_index_is_looked_for_below_the_address_of_uploads(home: Path, server: UploadServer, simple: str) -> None:
    server.simple = simple
    assert found(home, server.url).simple_url == f"{server.url.rstrip('/')}{simple}"
    assert found(home, server.url.rstrip("/")).simple_url == f"{server.url.rstrip('/')}{simple}"


@pytest.mark.parametrize("simple", ["simple", "simple/", "+simple/"])
@pytest.mark.parametrize("place", ["address", "pypirc"])
def test_the_address_that_pip_reads_is_no_place_to_upload_to(home: Path, simple: str, place: str) -> None:
    url = f"https://index.example/up/{simple}"
    pypirc(home, mine={"repository": url})
    said = refused(home, "mine" if place == "pypirc" else url)
    assert f"{url} is a read address for pip, not an upload address" in said
    assert f"without /{simple.rstrip('/')}/: https://index.example/up/" in said


def test_pypis_own_pages_are_no_place_to_upload_to_either(home: Path) -> None:
    assert "try: --repository pypi" in refused(home, PYPI_SIMPLE_ENDPOINT)


def test_an_index_may_be_called_simple_where_somebody_says_how_it_is_read(home: Path) -> None:
    index(home, {"https://index.example/me/simple/": "https://index.example/me/simple/+simple/"})
    assert found(home, "https://index.example/me/simple/").simple_url == "https://index.example/me/simple/+simple/"


def test_a_page_to_log_in_on_is_no_index(home: Path, server: UploadServer) -> None:
    server.pages["/+simple/"] = "<form><input type=password></form>"
    server.moved["/simple/"] = "/login?next=simple"
    said = refused(home, server.url)
    assert f"{server.url}+simple/ (a web page) or {server.url}simple/ (302, redirected to {server.url}login?" in said


def test_where_no_index_is_found_one_has_to_say_where(home: Path, server: UploadServer) -> None:
    said = refused(home, f"{server.url}up/")
    assert "the read address of" in said
    assert f"{server.url}up/+simple/ (404) or {server.url}up/simple/ (404)" in said
    assert f'[tool.crosswheel.index] and "{server.url}up/" = ' in said
    index(home, {f"{server.url}up/": f"{server.url}simple"})
    assert found(home, f"{server.url}up/").simple_url == f"{server.url}simple/"


def test_a_server_that_does_not_answer_is_said_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    with pytest.raises(IndexUnreachable) as caught:
        found(home, f"http://me:{TOKEN}@127.0.0.1:9/")
    assert TOKEN not in str(caught.value)
    assert caught.value.hint.startswith("the same command again later")


# ---- who one is -----------------------------------------------------------------------------------------------


def test_a_repositorys_own_variable_wins_over_that_of_all_and_both_over_the_file(home: Path) -> None:
    pypirc(home, testpypi={"password": "of-the-file"})
    assert password(home, "testpypi") == "of-the-file"
    assert password(home, "testpypi", {"TWINE_PASSWORD": "all"}) == "all"
    both = {"TWINE_PASSWORD": "all", "TWINE_PASSWORD_TESTPYPI": "own"}
    assert password(home, "testpypi", both) == "own"
    assert password(home, "pypi", both) == "all"
    assert password(home, "testpypi", {"TWINE_PASSWORD": ""}) == "of-the-file"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("", "TWINE_PASSWORD"), ("testpypi", "TWINE_PASSWORD_TESTPYPI"), ("my-index.2", "TWINE_PASSWORD_MY_INDEX_2"),
     ("https://index.example/", "TWINE_PASSWORD")],
)  # fmt: skip
def test_variables_are_named_for_repositories(name: str, expected: str) -> None:
    assert variable("PASSWORD", name) == expected


def test_the_keyring_is_asked_last(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring

    asked = []

    class Ring:
        def get_password(self, system: str, username: str) -> str:
            asked.append((system, username))
            return TOKEN

    monkeypatch.setattr(keyring, "get_password", Ring().get_password)
    assert found(home, "pypi").password == TOKEN
    assert asked == [(DEFAULT_REPOSITORY, "__token__")]
    assert password(home, "pypi", {"TWINE_PASSWORD": "given"}) == "given"
    assert len(asked) == 1


def test_a_keyring_in_trouble_is_as_none_and_says_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    import keyring

    def broken(_system: str, _username: str) -> str:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr(keyring, "get_password", broken)
    assert password(home, "pypi") == ""
    assert capfd.readouterr() == ("", "")


def test_nothing_is_asked_on_the_terminal(home: Path, monkeypatch: pytest.MonkeyPatch, server: UploadServer) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    repository = found(home, server.url)
    assert (repository.username, repository.password) == ("", "")


def test_a_repository_does_not_show_its_password() -> None:
    assert TOKEN not in repr(Repository("mine", "https://a.example/", "https://a.example/simple/", "me", TOKEN))
