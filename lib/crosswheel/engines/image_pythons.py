"""CPythons of pypa's images for this machine's own architecture, which run build backends where it has none itself.

CPython finds its standard library beside its program, so it runs from an unpacked image without a container; shared
libraries of the image's distribution are lent to it (`borrowed_libraries`).
"""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from crosswheel.containers.opt_python import read_pythons
from crosswheel.engines.borrowed_libraries import missing_libraries
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.errors import DiskFull, ImageUnavailable, MissingTool
from crosswheel.images.pins import pinned_images
from crosswheel.images.store import UnpackedImage, ensure_unpacked, find_unpacked
from crosswheel.model.config import Config
from crosswheel.model.job import Interpreter, Listener, chore
from crosswheel.model.targets import Architecture, PythonTag, Target, architectures
from crosswheel.system.interpreters import fetch_interpreter, interpreter_at
from crosswheel.system.memo import answers_in


def with_image_pythons(config: Config, facts: Facts) -> Facts:
    """The facts with the CPythons that this machine lacks and an image in the cache has. No registry is asked."""
    if arch := architectures().get(facts.host.machine):
        for reference in _references(config, arch):
            if image := find_unpacked(facts.host.cache, reference, arch):
                return facts.with_interpreters(_pythons_of(image, facts))
    return facts


def fetch_python(tag: PythonTag, config: Config, facts: Facts, listener: Listener) -> Interpreter:
    """Download a CPython: with uv, or with an image for this machine if uv cannot. Raises MissingTool."""
    try:
        with chore(f"downloading CPython for {tag} with uv", listener):
            return fetch_interpreter(tag, facts.host.processes, facts.host.installer_environ)
    except MissingTool as error:
        try:
            return _fetch_with_image(tag, config, facts, listener)
        except (ImageUnavailable, DiskFull, MissingTool) as second:
            raise MissingTool(f"{error.message}; {second.message}", hint=error.hint) from error


def _fetch_with_image(tag: PythonTag, config: Config, facts: Facts, listener: Listener) -> Interpreter:
    arch = architectures().get(facts.host.machine)
    reference = next(_references(config, arch), "") if arch else ""
    if not arch or not reference:
        raise MissingTool(f"no image is pinned for {facts.host.machine}")
    image = ensure_unpacked(
        facts.host.cache,
        reference,
        arch,
        mirrors=facts.mirrors,
        offline=facts.offline,
        listener=listener,
        silent=facts.silent,
    )
    found = _pythons_of(image, facts).get(tag)
    if found is None:
        raise MissingTool(f"{reference} has no CPython for {tag} that runs on this machine")
    return found


def _references(config: Config, arch: Architecture) -> Iterator[str]:
    """Images of the architecture with this machine's C library: of the policies that are built for, then the others.

    The oldest come first: their programs run on the most machines.
    """
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    pinned = sorted(policy for policy, of in pinned_images("pypa") if of == arch and policy.libc == libc)
    wanted = sorted({target.policy for target in config.targets([PythonTag(0)]) if target.policy.libc == libc})
    targets = [Target(PythonTag(0), arch, policy) for policy in dict.fromkeys((*wanted, *pinned))]
    # The option `image` is for the targets, whose architecture is another one.
    own = replace(config, containers=replace(config.containers, image=""))
    for target in targets:
        with suppress(ImageUnavailable):  # none is pinned for this policy
            yield reference_of(target, own)


def _pythons_of(image: UnpackedImage, facts: Facts) -> dict[PythonTag, Interpreter]:
    """The Pythons that this machine lacks, and that start here."""
    host, answers = facts.host, answers_in(facts.host.cache)
    found = {}
    for tag, there in read_pythons(image.root).items():
        if tag not in host.interpreters:
            path = image.root / there.path.relative_to("/")
            one = interpreter_at(path, host.processes, host.environ, answers)
            if one and one.tag == tag:
                lent = missing_libraries(path, image.root, host.processes, host.environ, answers)
                found[tag] = replace(one, borrowed=lent)
    return found
