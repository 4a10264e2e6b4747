"""The caller's network settings for containers: proxies, certificates, and package indexes.

Folders of this machine are not passed on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from crosswheel.containers.host import Files
from crosswheel.system.addresses import without_users
from crosswheel.system.local_host import LocalHost

_CERTIFICATES = PurePosixPath("/etc/crosswheel/certificates.pem")
_NETWORK = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Network:
    """Environment variables for builds and tests, and those for uv; `files` are the files that some of them name.

    uv gets the credentials in an index's address; hooks, and sdists that uv builds, do not, because their code is not
    trusted. This is no full protection: a process that a hook leaves running can inspect uv.
    """

    environ: Mapping[str, str]
    installer_environ: Mapping[str, str]
    files: Files


def network_of(host: LocalHost) -> Network:
    given = {name: host.environ[name] for name in _NETWORK if name in host.environ}
    settings, files = host.index.settings.remote, {}
    if (certificates := _certificates(host)) and certificates.is_file():
        files[_CERTIFICATES] = certificates.read_bytes()
        names = ("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        given |= dict.fromkeys(names, str(_CERTIFICATES))
    urls = {"PIP_INDEX_URL": settings.index_url, "PIP_EXTRA_INDEX_URL": " ".join(settings.extra_index_urls)}
    hooks = {**given, **{name: without_users(urls) for name, urls in urls.items() if urls}}
    own = {name: value for name, value in host.environ.items() if name in _UV_OWN}
    offline = {"UV_OFFLINE": "1"} if host.index.offline else {}
    uv = {**settings.uv_environ, **own, **given, **offline, "UV_PYTHON_DOWNLOADS": "never", "UV_LINK_MODE": "copy"}
    return Network(hooks, uv, files)


# The caller's settings of uv for package sources, without folders, which are on this machine.
_UV_OWN = (
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_INDEX_STRATEGY", "UV_HTTP_TIMEOUT",
    "UV_PRERELEASE", "UV_EXCLUDE_NEWER", "UV_NATIVE_TLS", "UV_INSECURE_HOST",
)  # fmt: skip


def _certificates(host: LocalHost) -> Path | None:
    environ, settings = host.environ, host.index.settings
    named = settings.cert or environ.get("SSL_CERT_FILE") or environ.get("REQUESTS_CA_BUNDLE")
    return Path(named) if named else None
