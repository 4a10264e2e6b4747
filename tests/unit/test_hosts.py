from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from tiny_projects import tiny_host

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
    assert sorted(host.build_environ) == ["HTTPS_PROXY", "LC_ALL", "PATH"]


def test_installing_sees_where_packages_come_from_and_no_token(tmp_path: Path) -> None:
    host = replace(tiny_host(tmp_path), environ=CALLERS)
    assert sorted(set(host.installer_environ) - set(host.build_environ)) == ["HOME", "UV_INDEX_URL", "UV_OFFLINE"]
    assert "secret" not in host.installer_environ.values()
