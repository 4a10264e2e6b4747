from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from crosswheel.errors import BuildFailed
from crosswheel.system.installer import install, without_secrets
from crosswheel.system.local_host import LocalHost
from crosswheel.system.process import CommandFailed
from crosswheel.testing import tiny_wheel
from tiny_projects import tar_of, tiny_host

CALLERS = {
    "PATH": "/usr/bin",
    "HOME": "/home/somebody",
    "LC_ALL": "C.UTF-8",
    "HTTPS_PROXY": "http://127.0.0.1:1",
    "UV_INDEX_URL": "http://127.0.0.1:2",
    "UV_PUBLISH_TOKEN": "secret",
    "UV_PUBLISH_PASSWORD": "secret",
    "TWINE_PASSWORD": "secret",
    "GITHUB_TOKEN": "secret",
    "CFLAGS": "-march=native",
}


def test_builds_see_the_way_to_the_network_and_nothing_of_the_caller(tmp_path: Path) -> None:
    host = replace(tiny_host(tmp_path), environ=CALLERS)
    assert sorted(host.build_environ) == [
        "CARGO_NET_OFFLINE",  # as the host of tests has no network
        "HTTPS_PROXY",
        "LC_ALL",
        "MATURIN_NO_INSTALL_RUST",
        "PATH",
    ]


def test_rustups_programs_are_found_without_a_login_shell(tmp_path: Path) -> None:
    programs = tmp_path / "home" / ".cargo" / "bin"
    programs.mkdir(parents=True)
    (programs / "cargo").touch(0o755)
    callers = {"PATH": "/nowhere", "HOME": str(tmp_path / "home")}
    assert host_of(tmp_path, callers).build_environ["PATH"] == f"/nowhere:{programs}"
    (tmp_path / "cargo").touch(0o755)
    callers["PATH"] = str(tmp_path)
    assert host_of(tmp_path, callers).build_environ["PATH"] == str(tmp_path)


def test_builds_see_the_toolchains_of_rustup_and_not_the_tokens_of_cargo(tmp_path: Path) -> None:
    (tmp_path / "home" / ".rustup").mkdir(parents=True)
    callers = {**CALLERS, "HOME": str(tmp_path / "home"), "CARGO_HOME": "/tokens", "CARGO_REGISTRY_TOKEN": "secret"}
    host = replace(tiny_host(tmp_path), environ=callers)
    assert host.build_environ["RUSTUP_HOME"] == str(tmp_path / "home" / ".rustup")
    assert host.build_environ["RUSTUP_AUTO_INSTALL"] == "0"
    assert not {"CARGO_HOME", "CARGO_REGISTRY_TOKEN", "HOME"} & set(host.build_environ)
    (tmp_path / "elsewhere").mkdir()
    chosen = {"RUSTUP_HOME": str(tmp_path / "elsewhere"), "RUSTUP_TOOLCHAIN": "beta"}
    environ = replace(host, environ={**callers, **chosen}).build_environ
    assert {name: environ[name] for name in chosen} == chosen


def test_installing_sees_where_packages_come_from_and_no_token(tmp_path: Path) -> None:
    host = host_of(tmp_path, {**CALLERS, "UV_INDEX_URL": "http://me:secret@127.0.0.1:2/simple"})
    assert sorted(set(host.installer_environ) - set(host.build_environ)) == ["HOME", "UV_INDEX_URL", "UV_OFFLINE"]
    assert host.installer_environ["UV_INDEX_URL"] == "http://127.0.0.1:2/simple"
    assert "secret" not in str(host.installer_environ)


def host_of(folder: Path, environ: dict[str, str]) -> LocalHost:
    return replace(tiny_host(folder), environ=environ)


# ---- what uv installs -----------------------------------------------------------------------------------------

# The backend of a requirement that is only an sdist: it notes all that it sees.
SPY = """
import json, os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    parent = open(f"/proc/{os.getppid()}/environ", "rb").read().decode("utf-8", "replace")
    with zipfile.ZipFile(os.path.join(folder, "spy-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("notes.json", json.dumps({"environ": dict(os.environ), "parent": parent}))
        wheel.writestr("spy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\\nName: spy\\nVersion: 1.0\\n")
        wheel.writestr("spy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("spy-1.0.dist-info/RECORD", "")
    return "spy-1.0-py3-none-any.whl"
"""


@pytest.fixture
def links(tmp_path: Path) -> Path:
    """A folder with a package that is a wheel, and one that is only an sdist."""
    folder = tmp_path / "links"
    folder.mkdir()
    shutil.move(tiny_wheel(tmp_path), folder)
    members = {
        "PKG-INFO": b"Metadata-Version: 2.2\nName: spy\nVersion: 1.0\n",
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "spying"\nbackend-path = ["."]\n',
        "spying.py": SPY.encode(),
    }
    tar_of(members, folder, top="spy-1.0/", name="spy-1.0.tar.gz")
    return folder


def installing(tmp_path: Path, links: Path, **environ: str) -> LocalHost:
    given = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "users"), **environ}
    (tmp_path / "users").mkdir(exist_ok=True)
    return host_of(tmp_path, {**given, "UV_FIND_LINKS": str(links)})


def installed(host: LocalHost, tmp_path: Path, *requirements: str) -> list[str]:
    """The commands of an installation into a new environment."""
    log = tmp_path / "log"
    log.touch()
    python = LocalHost.make_environment(host, Path(sys.executable), tmp_path / "environment", log)  # not the tiny one's
    try:
        host.install(requirements, python, log)
    finally:
        commands = [line for line in log.read_text().splitlines() if line.startswith("$ ") and " pip install " in line]
    return commands


@pytest.mark.parametrize("secret", [{}, {"UV_INDEX": "http://me:secret@127.0.0.1:2/simple"}, {"NETRC": "/nowhere"}])
def test_a_requirement_that_is_only_an_sdist_is_built_without_home_and_passwords(
    tmp_path: Path, links: Path, secret: dict[str, str]
) -> None:
    host = installing(tmp_path, links, **{"TWINE_PASSWORD": "secret", **secret})
    commands = installed(host, tmp_path, "spy", "tiny")
    assert [" --only-binary " in command for command in commands] == [True, False]
    (notes,) = (tmp_path / "environment").rglob("notes.json")
    seen = json.loads(notes.read_text())
    assert seen["environ"]["HOME"] not in {str(tmp_path / "users"), str(host.cache / "uv")}
    assert "secret" not in str(seen)
    assert "NETRC" not in seen["environ"]


def test_wheels_are_installed_with_the_callers_login_and_nothing_is_built(tmp_path: Path, links: Path) -> None:
    (command,) = installed(installing(tmp_path, links, NETRC="/nowhere"), tmp_path, "tiny")
    assert "--only-binary :all:" in command


def test_what_no_index_has_is_looked_for_once(tmp_path: Path, links: Path) -> None:
    with pytest.raises(CommandFailed) as caught:
        installed(installing(tmp_path, links, NETRC="/nowhere"), tmp_path, "nowhere")
    assert "nowhere" in caught.value.output
    assert (tmp_path / "log").read_text().count(" pip install ") == 1


@pytest.mark.parametrize("above", [".", "cache"])
def test_settings_of_uv_in_a_folder_above_are_not_read(tmp_path: Path, links: Path, above: str) -> None:
    (tmp_path / above).mkdir(exist_ok=True)
    (tmp_path / above / "uv.toml").write_text("this is no TOML")
    assert installed(installing(tmp_path, links), tmp_path, "tiny")


def test_the_users_own_settings_of_uv_hold(tmp_path: Path, links: Path) -> None:
    host = installing(tmp_path, links)
    settings = tmp_path / "users" / ".config" / "uv" / "uv.toml"
    settings.parent.mkdir(parents=True)
    settings.write_text(f'find-links = ["{links}"]\n')
    bare = {name: value for name, value in host.environ.items() if name != "UV_FIND_LINKS"}
    assert installed(replace(host, environ=bare), tmp_path, "tiny")
    assert (tmp_path / "users" / ".cache" / "uv").is_dir()


def test_what_of_uvs_folder_was_changed_is_put_right(tmp_path: Path, links: Path) -> None:
    host = installing(tmp_path, links)
    home = Path(host.installer_environ["HOME"])
    (home / ".config" / "uv").unlink()
    (home / ".config" / "uv").symlink_to(tmp_path)
    (home / "uv.toml").write_text("no-build = true\n")
    assert host.installer_environ["HOME"] == str(home)
    assert (home / ".config" / "uv").readlink() == tmp_path / "users" / ".config" / "uv"
    assert (home / "uv.toml").read_text() == ""
    assert home.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("name", "value", "bare"),
    [
        ("UV_INDEX_URL", "https://me:pass%2Fword@host/simple", "https://host/simple"),
        ("UV_INDEX", "a=https://me:p@host/a https://host/b", "a=https://host/a https://host/b"),
        ("UV_FIND_LINKS", "https://u:p@host/x,/some/folder", "https://host/x,/some/folder"),
        ("HTTPS_PROXY", "http://me:p@proxy:1", "http://me:p@proxy:1"),
        ("UV_INDEX_MINE_PASSWORD", "p", None),
        ("UV_INDEX_MINE_USERNAME", "me", None),
        ("UV_KEYRING_PROVIDER", "subprocess", None),
        ("NETRC", "/home/me/.netrc", None),
    ],
)
def test_uvs_variables_lose_their_secrets(name: str, value: str, bare: str | None) -> None:
    assert without_secrets({name: value}).get(name) == bare


def test_an_sdist_behind_a_password_is_told_with_a_way_out() -> None:
    said = iter(["spy==1.0 has no usable wheels", "HTTP status client error (401 Unauthorized)"])

    def run(command: Sequence[str], _environ: Mapping[str, str]) -> None:
        raise CommandFailed(command, 1, next(said))

    with pytest.raises(BuildFailed) as caught:
        install(run, ["uv", "pip", "install", "--", "spy"], {"NETRC": "/nowhere"}, {})
    assert caught.value.message.endswith("built without passwords, but the index requires one")
    assert caught.value.hint.startswith("pip wheel REQUIREMENT -w FOLDER")
