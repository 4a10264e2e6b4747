"""Passwords in addresses: taken out whole, or refused, and never shown, cached or logged."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import hypothesis
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crosswheel.errors import CrosswheelError, IndexUnreachable, UsageError
from crosswheel.pipeline.source import fetch
from crosswheel.system.addresses import Address, parse_address, redact, without_users
from crosswheel.system.local_host import LocalHost
from crosswheel.system.memo import Answers
from crosswheel.system.package_index import Index
from crosswheel.system.pip_settings import PipSettings, read_pip_settings
from crosswheel.system.process import Processes
from tiny_projects import tiny_host

MARK = "c4n4ry"
# Around a word that is looked for afterwards, all that ends something somewhere; a line's end ends every setting.
NASTY = st.text(st.sampled_from("/@ #?%:[]\\&=+,;'\"<>|^`{}~!$*()é中"), max_size=6)
passwords = st.builds(lambda before, after: f"{before}{MARK}{after}", NASTY, NASTY)
spellings = st.sampled_from([str, quote, lambda text: quote(text, safe=""), quote_plus])


def parsed(text: str) -> Address | UsageError:
    try:
        return parse_address(text, "the index")
    except UsageError as error:
        return error


@hypothesis.settings(deadline=None)
@given(passwords, spellings)
@example("a/c4n4ry@b#c", str)
@example("c4n4ry d/e@", str)
def test_no_message_shows_a_password_however_it_is_written(password: str, spell: object) -> None:
    assert callable(spell)
    url = f"https://me:{spell(password)}@index.example/simple/"
    for text in (url, f"cannot read {url}: no", f"two: {url} and {url}", repr(url), json.dumps({"url": url})):
        assert MARK not in redact(text)
        assert "index.example/simple/" in redact(text)
    assert MARK not in redact(f"https://{spell(password)}@index.example/")
    assert MARK not in redact(f"git+https://{spell(password)}@index.example/tiny.git@v1.0")


@hypothesis.settings(deadline=None)
@given(passwords, spellings)
def test_a_password_is_taken_out_whole_or_its_address_is_refused(password: str, spell: object) -> None:
    assert callable(spell)
    written = spell(password)
    address = parsed(f"https://me:{written}@index.example:8443/simple/")
    if isinstance(address, UsageError):
        assert MARK not in f"{address}{address!r}{address.__cause__}"
        # Nothing but a raw delimiter is a reason to refuse: escaped, every password is taken.
        assert set(written) & set("/?#[]\\") or not written.isascii()
        return
    assert address.bare == "https://index.example:8443/simple/"
    assert (address.username, address.password) == ("me", unquote(written))
    assert MARK not in repr(address)
    assert without_users(address.whole) == address.bare
    assert parse_address(address.whole, "the same") == address


@hypothesis.settings(deadline=None)
@given(passwords)
def test_every_password_is_taken_where_it_is_escaped(password: str) -> None:
    address = parse_address(f"https://me:{quote(password, safe='')}@index.example/", "the index")
    assert address.password == password


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://me:secret@index.example/simple", "https://***@index.example/simple"),
        ("https://token@index.example", "https://***@index.example"),
        ("https://me:p@ss@index.example", "https://***@index.example"),
        ("https://me:p/a ss@index.example/x", "https://***@index.example/x"),
        ("two: http://a:b@x and http://c:d@y", "two: http://***@x and http://***@y"),
        ("https://index.example/simple/", "https://index.example/simple/"),
        ("me@index.example", "me@index.example"),
    ],
)
def test_addresses_are_shown_without_names_and_passwords(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    ("urls", "bare"),
    [
        ("https://user:secret@index.example:8443/simple/?a=b", "https://index.example:8443/simple/?a=b"),
        ("https://token@one.example/ http://two.example/a@b", "https://one.example/ http://two.example/a@b"),
        ("https://user:p@ss@index.example/", "https://index.example/"),
        ("mine=https://user:pa ss@index.example/", "mine=https://index.example/"),
        ("https://user:secret@[::1]:3141/root", "https://[::1]:3141/root"),
        ("", ""),
    ],
)
def test_what_hooks_see_of_an_address_has_no_credentials(urls: str, bare: str) -> None:
    assert without_users(urls) == bare


# ---- where the caller's settings have them --------------------------------------------------------------------

BAD = f"https://me:12/{MARK}@127.0.0.1:9/simple/"
VARIABLES = (
    "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PROXY", "UV_DEFAULT_INDEX", "UV_INDEX",
    "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "HTTP_PROXY", "https_proxy", "ALL_PROXY",
)  # fmt: skip


@pytest.fixture
def quick_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pip without files, which says so in a third of a second; test_package_index asks pip itself."""
    monkeypatch.setattr("crosswheel.system.pip_settings._ask_pip", lambda *_: "")


def settings_of(folder: Path, environ: Mapping[str, str]) -> PipSettings:
    home = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "PIP_CONFIG_FILE": "/nowhere/pip.conf"}
    return read_pip_settings(Processes(), {**home, **environ}, Answers(folder / "answers"))


@pytest.mark.usefixtures("quick_pip")
@pytest.mark.parametrize("name", VARIABLES)
@pytest.mark.parametrize("text", [BAD, f"https://me:12#{MARK}@127.0.0.1:9/", f"https://me:x/{MARK}@127.0.0.1:9/"])
def test_an_address_that_its_password_ends_too_early_is_refused_and_not_shown(
    tmp_path: Path, name: str, text: str
) -> None:
    text = f"mine={text}" if name == "UV_INDEX" else text
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, {name: text})
    assert MARK not in str(caught.value)
    told = name.removeprefix("PIP_").lower().replace("_", "-") if name.startswith("PIP_") else name
    assert caught.value.message.startswith(told)
    assert "%2F for /" in caught.value.hint
    assert not (tmp_path / "answers").exists()


def test_a_space_in_a_list_of_addresses_is_refused_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        settings_of(tmp_path, {"PIP_EXTRA_INDEX_URL": f"https://me:12 {MARK}@127.0.0.1:9/simple/"})
    assert caught.value.hint == "write %20 for a space"
    assert MARK not in str(caught.value)


def test_an_address_is_handed_on_in_the_way_that_all_programs_read(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, {"PIP_INDEX_URL": "https://m@e:p@ s,s@127.0.0.1:9/simple/"})
    assert settings.index_url == "https://m%40e:p%40%20s%2Cs@127.0.0.1:9/simple/"
    assert settings_of(tmp_path, {"http_proxy": "me:secret@127.0.0.1:3128"}).index_url == ""


@pytest.mark.parametrize("password", [f"{MARK}@ /", f" {MARK}%", f"é{MARK}#?", f"{MARK}:[]"])
def test_a_password_is_in_no_cache_and_no_error(tmp_path: Path, password: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setattr("crosswheel.system.memo._SETTLED", -60)
    url = f"http://me:{quote(password, safe='')}@127.0.0.1:9/simple/"
    settings = settings_of(tmp_path, {"PIP_INDEX_URL": url})
    with pytest.raises(IndexUnreachable) as caught:
        Index(settings, tmp_path / "cache").files_of("tiny")
    shown = f"{caught.value}{caught.value!r}{caught.value.__cause__}"
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not re.search(MARK, shown)
    assert not [data for data in kept if MARK.encode() in data]


def test_the_password_of_a_proxy_is_in_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("http_proxy", f"http://me:{MARK}%2F%40@127.0.0.1:9")
    with pytest.raises(IndexUnreachable, match="proxy") as caught:
        Index(PipSettings(index_url="http://192.0.2.1/simple/"), tmp_path / "cache").files_of("tiny")
    assert MARK not in str(caught.value)


@pytest.mark.parametrize("source", [f"git+https://me:{MARK}/x@host.example/tiny.git@v1", f"tiny @ {BAD}"])
def test_a_source_that_is_none_is_not_shown_with_its_password(tmp_path: Path, source: str) -> None:
    host: LocalHost = tiny_host(tmp_path)
    with pytest.raises(CrosswheelError) as caught:
        fetch(source, host, tmp_path, lambda _event: None)
    assert MARK not in str(caught.value)
