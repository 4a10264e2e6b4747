"""Cargo's folders for builds: what is kept, what is removed, and what of the user's settings is copied."""

from __future__ import annotations

from pathlib import Path

from crosswheel.model.pyproject import read_toml
from crosswheel.toolchains.cargo_cache import open_cargo_cache, user_cargo_home

_USER = """
[source.crates-io]
replace-with = "mirror"
[source.mirror]
directory = "crates/vendored"
[registries.ours]
index = "sparse+https://crates.example/index/"
token = "secret-1"
credential-provider = "cargo:token"
[registries.other]
index = "https://me:secret-2@crates.example/index"
[registry]
token = "secret-3"
[http]
timeout = 5
multiplexing = false
[net]
git-fetch-with-cli = true
[target.x86_64-unknown-linux-gnu]
linker = "/usr/bin/mold"
"""


def test_settings_that_say_where_crates_are_reach_builds_and_secrets_do_not(tmp_path: Path) -> None:
    user = tmp_path / "user"
    user.mkdir()
    (user / "config.toml").write_text(_USER)
    (user / "credentials.toml").write_text('[registry]\ntoken = "secret-4"\n')
    cache = open_cargo_cache(tmp_path / "kept", "cp313-x", user, {}, ())
    assert read_toml(cache.home / "config.toml") == {
        "source": {
            "crates-io": {"replace-with": "mirror"},
            "mirror": {"directory": str(tmp_path / "crates" / "vendored")},
        },
        "registries": {"ours": {"index": "sparse+https://crates.example/index/"}},
        "http": {"timeout": 5, "multiplexing": False},
        "net": {"git-fetch-with-cli": True},
    }
    assert not any(b"secret" in path.read_bytes() for path in cache.folder.rglob("*") if path.is_file())


def test_a_user_without_settings_or_with_broken_ones_costs_nothing(tmp_path: Path) -> None:
    cache = open_cargo_cache(tmp_path / "kept", "cp313-x", tmp_path / "nobody", {}, ())
    assert (cache.home / "config.toml").read_text() == ""
    (tmp_path / "config.toml").write_text("[source")
    cache = open_cargo_cache(tmp_path / "kept", "cp313-x", tmp_path, {}, ())
    assert (cache.home / "config.toml").read_text() == ""


def test_what_was_compiled_is_kept_until_compilers_or_variables_change(tmp_path: Path) -> None:
    def compiled(environ: dict[str, str], *below: str) -> bool:
        cache = open_cargo_cache(tmp_path / "kept", "cp313-x", tmp_path, environ, below)
        there = (cache.built / "crate").exists()
        cache.built.mkdir(exist_ok=True)
        (cache.built / "crate").touch()
        return there

    assert not compiled({"CFLAGS": "-O2", "SOURCE_DATE_EPOCH": "1", "MAX_JOBS": "2"}, "zig 1")
    assert compiled({"CFLAGS": "-O2", "SOURCE_DATE_EPOCH": "2", "MAX_JOBS": "4"}, "zig 1")
    assert not compiled({"CFLAGS": "-O3"}, "zig 1")
    assert not compiled({"CFLAGS": "-O3"}, "zig 2")


def test_neither_the_cache_nor_the_job_is_named_in_wheels(tmp_path: Path) -> None:
    cache = open_cargo_cache(tmp_path / "kept", "cp313-x", tmp_path, {}, ())
    environ = cache.environ(Path("/a/job"))
    assert environ["CARGO_HOME"] == str(cache.home)
    assert environ["CARGO_TARGET_DIR"] == str(cache.built)
    crates = cache.home / "registry" / "src"
    assert environ["CARGO_BUILD_RUSTFLAGS"] == f"--remap-path-prefix={crates}=/crates --remap-path-prefix=/a/job=/build"
    assert "CARGO_BUILD_RUSTFLAGS" not in cache.environ(Path("/a job"))


def test_the_folder_of_the_users_cargo() -> None:
    assert user_cargo_home({"HOME": "/home/me"}) == Path("/home/me/.cargo")
    assert user_cargo_home({"HOME": "/home/me", "CARGO_HOME": "/opt/cargo"}) == Path("/opt/cargo")
