"""Translates what cibuildwheel resolves into options of crosswheel for each target, and notes what becomes of each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crosswheel.cibuildwheel.release import Release
from crosswheel.cibuildwheel.repair_command import NotOurs, parse_repair
from crosswheel.cibuildwheel.resolution import Assignment, Build, Resolution
from crosswheel.errors import UsageError
from crosswheel.model.adoption import Adoption, OptionUse, Use
from crosswheel.model.config import Config
from crosswheel.model.config_reader import parsed
from crosswheel.model.job import LeftOut
from crosswheel.model.targets import Policy, Target, parse_architecture, parse_policy, parse_python

_IDENTIFIER = re.compile(r"(?P<python>[a-z]+\d+\w*)-(?P<libc>manylinux|musllinux)_(?P<arch>\w+)")
_POLICY = re.compile(r"manylinux_\d+_\d+|manylinux(?:2014|2010|1)(?!\d)|musllinux_\d+_\d+")
_CPYTHON = re.compile(r"cp3\d+t?")
# The host's files and the project's own folder in cibuildwheel's containers.
_PLACES = re.compile(r"(?<![\w.])/(?:host|project)(?![\w-])")
# Options of ``pip install`` that mean the same to ``uv pip install``.
_OF_UV = re.compile(
    r"(-r|-c|-e|-U|--(requirement|constraint|no-deps|only-binary|no-binary|config-settings|upgrade))(=|$)"
)

_OF_THE_SELECTION = ("build", "skip", "enable", "archs")
_WITHOUT_EFFECT = {
    "build-verbosity": "logs are always complete",
    "dependency-versions": "its pins are for cibuildwheel's own tools",
    "audit-requires": "crosswheel audits every wheel itself",
    "test-runtime": "for other platforms",
    "xbuild-tools": "for other platforms",
    "xbuild-files": "for other platforms",
    "pyodide-version": "for other platforms",
}
_OF_TESTS = (
    "test-command", "before-test", "test-requires", "test-extras", "test-groups", "test-sources", "test-environment"
)  # fmt: skip


def translate(
    resolution: Resolution, release: Release, config: Config, environ: Mapping[str, str], project: Path
) -> Adoption:
    """The adoption of a resolved configuration; options of crosswheel that are given win over it.

    `environ` is the caller's environment, for environment-pass.
    """
    targets: dict[Target, Mapping[str, Any]] = {}
    uses: dict[tuple[str, Use, str], list[str]] = {}
    left_out: list[LeftOut] = []
    for build in resolution.builds:
        found = _target(build, config)
        if found is None:
            continue
        if isinstance(found, LeftOut):
            left_out.append(found)
            continue
        one = _Translation(build, found, config, environ, resolution.version)
        options = one.options()
        for option, use, why in one.uses:
            uses.setdefault((option, use, why), []).append(build.identifier)
        if stopping := {option: why for option, use, why in one.uses if use == "unsupported"}:
            left_out.append(_stopped(build.identifier, stopping))
        else:
            targets[found] = parsed(options, project)
    return Adoption(
        version=resolution.version,
        pinned_in=release.pinned_in,
        targets=dict(sorted(targets.items(), key=lambda item: (item[0].arch.name, item[0].python, item[0].policy))),
        options=tuple(OptionUse(*key, tuple(identifiers)) for key, identifiers in sorted(uses.items())),
        left_out=(*left_out, *_not_selected(resolution, config)),
    )


def _target(build: Build, config: Config) -> Target | LeftOut | None:
    """The target of an identifier; None if --python or --policy exclude it, LeftOut if crosswheel has none."""
    parts = _IDENTIFIER.fullmatch(build.identifier)
    if parts and config.build.python and parts["python"] not in map(str, config.build.python):
        return None
    if parts and not _CPYTHON.fullmatch(parts["python"]):
        return _none(build.identifier, "crosswheel builds for CPython only")
    if not parts:
        return _none(build.identifier, "crosswheel does not know such identifiers")
    try:
        python, arch = parse_python(parts["python"]), parse_architecture(parts["arch"])
        if "policy" in config.given and config.build.policy:
            policy = config.build.policy
            return Target(python, arch, policy) if policy.libc == _libc(parts["libc"]) else None
        return Target(python, arch, _policy(build))
    except UsageError as error:
        return _none(build.identifier, error.message)


def _libc(name: str) -> str:
    return "glibc" if name == "manylinux" else "musl"


def _policy(build: Build) -> Policy:
    """AUDITWHEEL_PLAT's policy, which auditwheel obeys, or the one in the image's name. Raises UsageError."""
    named = [one.value for one in build.environment if one.name == "AUDITWHEEL_PLAT" and one.value]
    found = _POLICY.search(named[-1] if named else build.image.rpartition("/")[2])
    if not found:
        raise UsageError(f"the name of {build.image} does not say its policy; give --policy")
    return parse_policy(found[0])


def _none(identifier: str, reason: str) -> LeftOut:
    # The same command for all, so that those with the same reason are shown in one line.
    return LeftOut(identifier, reason, "pipx run cibuildwheel --only IDENTIFIER", asked_for=True)


def _stopped(identifier: str, stopping: Mapping[str, str]) -> LeftOut:
    reason = "; ".join(f"{option}: {why}" for option, why in stopping.items())
    only_tests = stopping.keys() <= set(_OF_TESTS)
    untested = LeftOut(identifier, reason, "the same command with --test never", asked_for=True)
    return untested if only_tests else _none(identifier, reason)


def _not_selected(resolution: Resolution, config: Config) -> Iterator[LeftOut]:
    """The requested CPythons that no identifier is for; without any identifier, that."""
    selected = {build.identifier.partition("-")[0] for build in resolution.builds}
    hint = f"pipx run cibuildwheel --print-build-identifiers --platform linux --archs {','.join(resolution.archs)}"
    for tag in config.build.python:
        if str(tag) not in selected:
            yield LeftOut(str(tag), "the project's cibuildwheel configuration does not select it", hint, asked_for=True)
    if not resolution.builds:
        what = ", ".join(resolution.archs)
        yield LeftOut(what, "the project's cibuildwheel configuration selects no Linux build", hint, asked_for=True)


@dataclass
class _Translation:
    """Translates one build, and notes what becomes of each option that is written."""

    build: Build
    target: Target
    config: Config
    environ: Mapping[str, str]
    version: str
    uses: list[tuple[str, Use, str]] = field(default_factory=list)

    def options(self) -> dict[str, Any]:
        """Options of crosswheel by name, as in options.toml."""
        for name in self._written(_OF_THE_SELECTION):
            self._note(name, "taken")
        for name in self._written(_WITHOUT_EFFECT):
            self._note(name, "without effect", _WITHOUT_EFFECT[name])
        self._stop_for_engine_and_front_end()
        variables = self._environment("environment", self.build.environment)
        return {
            **self._image(),
            **self._commands(),
            **self._config_settings(),
            **self._repair(),
            "environment": {**variables, **self._marks()},
            **self._test(variables),
        }

    # ---- notes ------------------------------------------------------------------------------------------------

    def _written(self, names: Iterable[str]) -> Iterator[str]:
        return (name for name in names if name in self.build.written)

    def _note(self, option: str, use: Use, why: str = "") -> None:
        self.uses.append((option, use, why))

    def _stop(self, option: str, why: str) -> None:
        self._note(option, "unsupported", why)

    def _wins(self, option: str, ours: str) -> bool:
        """Whether an option of crosswheel is given that stands for one of cibuildwheel."""
        wins = ours in self.config.given
        if wins and option in self.build.written:
            self._note(option, "without effect", f"{ours} of crosswheel is given")
        return wins

    def _stop_for_places(self, option: str, text: str) -> None:
        if found := _PLACES.search(text):
            self._stop(option, f"it names {found[0]}, which crosswheel's containers do not have")

    # ---- options ----------------------------------------------------------------------------------------------

    def _stop_for_engine_and_front_end(self) -> None:
        name, *arguments = self.build.front_end
        if arguments:
            self._stop("build-frontend", f"arguments of the front end: {' '.join(arguments)}")
        elif "build-frontend" in self.build.written:
            self._note("build-frontend", "without effect", f"isolated builds with {name} and crosswheel are the same")
        if self.build.create_args:
            self._stop("container-engine", f"create-args: {' '.join(self.build.create_args)}")
        elif "container-engine" in self.build.written:
            self._note("container-engine", "without effect", "docker-host of crosswheel names the engine")
        if "audit-command" in self.build.written:
            self._note("audit-command", "without effect", "crosswheel audits every wheel itself")

    def _image(self) -> dict[str, Any]:
        kind = "manylinux" if self.target.policy.libc == "glibc" else "musllinux"
        option = f"{kind}-{self.target.arch}-image"
        # An image of another policy is no place for this one.
        if self._wins(option, "policy") or self._wins(option, "image") or self._wins(option, "images"):
            return {}
        if option in self.build.written:
            self._note(option, "taken", str(self.target.policy))
        return {"images": {f"{self.target.policy}_{self.target.arch}": self.build.image}}

    def _commands(self) -> dict[str, Any]:
        found = {}
        for option, text in (("before-all", self.build.before_all), ("before-build", self.build.before_build)):
            if self._wins(option, option) or not text.strip():
                continue
            self._stop_for_places(option, text)
            self._note(option, "taken", "in the folder of the sdist")
            found[option] = text.replace("{package}", "{project}")
        if "before-all" in found:
            found["before-all"] = f"PATH=/opt/python/cp39-cp39/bin:$PATH; export PATH; {found['before-all']}"
        return found

    def _config_settings(self) -> dict[str, Any]:
        if self._wins("config-settings", "config-settings") or not self.build.config_settings:
            return {}
        settings: dict[str, Any] = {}
        for text in self.build.config_settings:
            name, _, value = text.partition("=")
            self._stop_for_places("config-settings", value)
            if "{project}" in value or "{package}" in value:
                self._stop("config-settings", f"a folder of the container: {text}")
            before = settings.get(name)
            settings[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
        self._note("config-settings", "taken")
        return {"config-settings": settings}

    def _repair(self) -> dict[str, Any]:
        option, command = "repair-wheel-command", self.build.repair
        if option not in self.build.written:
            return {}
        if not command.strip():
            self._note(option, "without effect", "crosswheel repairs every compiled wheel")
            return {}
        try:
            asked = parse_repair(command, self.target)
        except NotOurs as error:
            self._stop(option, str(error))
            return {}
        self._note(option, "taken", "by crosswheel's own repair")
        return {"strip": asked.strip, "exclude": list(asked.exclude)}

    # ---- variables --------------------------------------------------------------------------------------------

    def _environment(self, option: str, assignments: Iterable[Assignment]) -> dict[str, str]:
        values = {}
        for one in assignments:
            if one.passed:
                if one.name in self.environ:
                    values[one.name] = self.environ[one.name]
            elif one.runs:
                self._stop(option, f"{one.name} is the output of a command: {one.text}")
            elif one.needs:
                self._stop(option, f"{one.name} needs {', '.join(one.needs)} of the container: {one.text}")
            else:
                self._stop_for_places(option, one.value)
                values[one.name] = one.value
        for name in self._written([option, *(["environment-pass"] if option == "environment" else [])]):
            if all(noted != name for noted, *_ in self.uses):
                self._note(name, "taken")
        return values

    def _marks(self) -> dict[str, str]:
        """The variables that cibuildwheel and its images set for every build."""
        policy, arch = str(self.target.policy), str(self.target.arch)
        marks = {
            "CIBUILDWHEEL": "1",
            "AUDITWHEEL_POLICY": policy,
            "AUDITWHEEL_ARCH": arch,
            "AUDITWHEEL_PLAT": f"{policy}_{arch}",
        }
        if int(self.version.partition(".")[0]) >= _FIRST_WITH_IDENTIFIER:
            marks["CIBUILDWHEEL_BUILD_IDENTIFIER"] = self.build.identifier
        return marks

    # ---- tests ------------------------------------------------------------------------------------------------

    def _test(self, variables: Mapping[str, str]) -> dict[str, Any]:
        if "test" in self.config.given and self.config.test.mode == "never":
            for name in self._written(("test-skip", *_OF_TESTS)):
                self._note(name, "without effect", "--test never")
            return {}
        if "test-skip" in self.build.written:
            self._note("test-skip", "taken", "" if self.build.tested else "this target is not tested")
        if not self.build.tested:
            return {"test": "never"}
        own = self._environment("test-environment", self.build.test_environment)
        return {
            "test-environment": {**variables, **self._marks(), **own},
            **self._test_command(),
            **self._test_installs(),
        }

    def _test_command(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self._wins("test-sources", "test-sources") and self.build.test_sources:
            self._note("test-sources", "taken", "of the sdist")
            found["test-sources"] = list(self.build.test_sources)
        for option, text in (("test-command", self.build.test_command), ("before-test", self.build.before_test)):
            if self._wins(option, option) or not text.strip():
                continue
            self._stop_for_places(option, text)
            self._note(option, "taken", "{project} is the folder of the sdist")
            found[option] = text.replace("{package}", "{project}")
        return found

    def _test_installs(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self._wins("test-requires", "test-requires") and self.build.test_requires:
            if odd := [word for word in self.build.test_requires if word.startswith("-") and not _OF_UV.match(word)]:
                self._stop("test-requires", f"options that uv does not have: {' '.join(odd)}")
            for name in self._written(("test-requires", "test-groups")):
                self._note(name, "taken")
            found["test-requires"] = list(self.build.test_requires)
        if not self._wins("test-extras", "test-extras") and self.build.test_extras:
            self._note("test-extras", "taken")
            found["test-extras"] = [extra.strip() for extra in self.build.test_extras.split(",")]
        return found


_FIRST_WITH_IDENTIFIER = 4  # the release of cibuildwheel that sets CIBUILDWHEEL_BUILD_IDENTIFIER
