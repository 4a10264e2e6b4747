"""Packages of a Debian suite for any architecture, unpacked into a folder: sysroots and interpreters for tests.

apt does what it is good at (mirror, proxy, dependencies, signatures) in a state folder of its own, one for each suite
and architecture: nobody needs to be root, this machine's package lists stay as they are, and nothing foreign runs.
What maintainer scripts would have done is left undone, which headers, libraries and interpreters can live with.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Every top folder that is a link into /usr on a merged system, of all architectures: a package of an older suite
# still has its libraries in /lib, and looks for the dynamic loader there.
_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")

_NOT_NEEDED = ("./usr/share/doc", "./usr/share/info", "./usr/share/locale", "./usr/share/man", "./usr/share/lintian")

_APT_TIMEOUT = 600  # seconds: the lists of a suite and some 100 MB, on a slow line
_UNPACK_TIMEOUT = 120

# In a state folder whose lists are whole.
_UPDATED = "updated"

# Images for containers have apt read its lists anew each time.
_READ_ONCE = ("--option=Dir::Cache::pkgcache=pkgcache.bin", "--option=Dir::Cache::srcpkgcache=srcpkgcache.bin")

_APT_CONF = """\
// Another machine's packages are none of the business of what this one does after an update.
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Install-Recommends "false";
// root would become _apt, who cannot enter root's cache.
APT::Sandbox::User "root";
// Half of a list must not look like a suite without the package.
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{state}";
Dir::State::status "{state}/status";
Dir::Cache "{state}";
Dir::Cache::archives "archives";
Dir::Etc::sourcelist "{state}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
"""


class DebianUnavailable(Exception):  # noqa: N818 - reads as what happened
    """This machine cannot have Debian packages, and why: a reason to skip."""


def unpacked(architecture: str, packages: Sequence[str], suite: str, cache_folder: Path) -> Path:
    """A folder with these packages and all that they depend on, in Debian's word for the architecture (``arm64``).

    It is made once and kept in `cache_folder`; later calls neither ask apt nor the network.
    """
    key = hashlib.sha256(" ".join([_APT_CONF, *sorted(packages)]).encode()).hexdigest()[:8]
    root = cache_folder / "debian" / f"{suite}-{architecture}-{key}"
    root.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(f"{root}.lock"):
        if not root.is_dir():
            _make(root, architecture, packages, suite)
    return root


def _make(root: Path, architecture: str, packages: Sequence[str], suite: str) -> None:
    """Work in a folder beside the final one, then move: a run that dies half way leaves nothing that looks finished."""
    with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
        debs = _download(Path(folder, "archives"), architecture, packages, suite, root.parent)
        unfinished = Path(folder, "root")
        _make_merged_usr(unfinished)
        with ThreadPoolExecutor() as pool:
            list(pool.map(functools.partial(_unpack, root=unfinished), debs))
        _make_links_relative(unfinished)
        unfinished.replace(root)


def _download(archives: Path, architecture: str, packages: Sequence[str], suite: str, kept: Path) -> list[Path]:
    """To a new folder. apt's lists stay in `kept`: to fetch and read them takes longer than to unpack most packages."""
    (archives / "partial").mkdir(parents=True)
    state = kept / f"apt-{suite}-{architecture}"
    apt = [_program("apt-get"), "--config-file", str(state / "apt.conf"), f"--option=Dir::Cache::archives={archives}"]
    apt += [*_READ_ONCE, "--quiet=2", "--yes"]
    with filelock.FileLock(f"{state}.lock"):
        first = not (state / _UPDATED).exists()
        if first:
            _update(apt, state, architecture, suite)
        try:
            _fetch(apt, packages)
        except (DebianUnavailable, ValueError):
            if first:
                raise
            # The mirror has other files than when these lists were made.
            _update(apt, state, architecture, suite)
            _fetch(apt, packages)
    return sorted(archives.glob("*.deb"))


def _update(apt: Sequence[str], state: Path, architecture: str, suite: str) -> None:
    (state / "lists/partial").mkdir(parents=True, exist_ok=True)
    (state / "status").touch()  # nothing is installed, so every dependency is fetched
    (state / "apt.conf").write_text(_APT_CONF.format(architecture=architecture, state=state))
    (state / "sources.list").write_text(f"deb [signed-by={_keyring()}] {mirror()} {suite} main\n")
    _run([*apt, "update"], _APT_TIMEOUT)
    (state / _UPDATED).touch()


def _fetch(apt: Sequence[str], packages: Sequence[str]) -> None:
    """A package that the suite has not got is a mistake in a test, and no reason to skip it: a ValueError."""
    try:
        _run([*apt, "--download-only", "install", *packages], _APT_TIMEOUT)
    except DebianUnavailable:
        try:
            _run([*apt, "--simulate", "install", *packages], _APT_TIMEOUT)
        except DebianUnavailable as error:
            raise ValueError(str(error)) from error
        raise


def mirror() -> str:
    """Where this machine has its own suite from; whoever serves that serves the other suites too."""
    own = platform.freedesktop_os_release() if Path("/etc/os-release").is_file() else {}
    wanted = ["$(REPO_URI)", "$(RELEASE)"]
    listing = [_program("apt-get"), "indextargets", "--format", " ".join(wanted), "Created-By: Packages"]
    for line in _run(listing, _APT_TIMEOUT).splitlines():
        address, _, release = line.partition(" ")
        if own.get("ID") == "debian" and release == own.get("VERSION_CODENAME"):
            return address
    raise DebianUnavailable("this machine is not a Debian with a mirror of its own suite")


def _keyring() -> Path:
    if not _KEYRING.is_file():
        raise DebianUnavailable("debian-archive-keyring is not installed")
    return _KEYRING


def _program(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        raise DebianUnavailable(f"{name} is not installed")
    return path


def _run(command: Sequence[str], timeout: float) -> str:
    environ = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired as error:
        raise DebianUnavailable(f"{Path(command[0]).name} took longer than {timeout} s") from error
    except subprocess.CalledProcessError as error:
        raise DebianUnavailable(f"{Path(command[0]).name} failed: {error.stderr.strip()}") from error
    return done.stdout


def _make_merged_usr(root: Path) -> None:
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")


def _unpack(deb: Path, root: Path) -> None:
    """What `dpkg-deb --extract` does, but it would put a folder in the place of our links into /usr."""
    with subprocess.Popen([_program("dpkg-deb"), "--fsys-tarfile", str(deb)], stdout=subprocess.PIPE) as archive:
        options = ["--keep-directory-symlink", "--no-same-owner", *(f"--exclude={path}" for path in _NOT_NEEDED)]
        extract = [_program("tar"), "--extract", "--directory", str(root), *options]
        subprocess.run(extract, stdin=archive.stdout, timeout=_UNPACK_TIMEOUT, check=True)
    if archive.returncode:
        raise subprocess.CalledProcessError(archive.returncode, archive.args)


def _make_links_relative(root: Path) -> None:
    """An absolute link would lead out of the folder, to this machine's own file of that name."""
    for path in [path for path in root.rglob("*") if path.is_symlink()]:
        target = str(path.readlink())
        if target.startswith("/"):
            path.unlink()
            path.symlink_to(os.path.relpath(f"{root}{target}", path.parent))
