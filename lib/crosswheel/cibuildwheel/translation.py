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
from crosswheel.model.adoption import PROJECT, Adoption, ContainerMode, OptionUse, Use
from crosswheel.model.config import Config
from crosswheel.model.config_reader import parsed
from crosswheel.model.job import LeftOut
from crosswheel.model.targets import Policy, Target, parse_architecture, parse_policy, parse_python

_IDENTIFIER = re.compile(r"(?P<python>[a-z]+\d+\w*)-(?P<libc>manylinux|musllinux)_(?P<arch>\w+)")
_POLICY = re.compile(r"manylinux_\d+_\d+|manylinux(?:2014|2010|1)(?!\d)|musllinux_\d+_\d+")
_CPYTHON = re.compile(r"cp3\d+t?")
# The host's files, and the project, in cibuildwheel's containers.
_HOST = re.compile(r"(?<![\w.])/host(?![\w-])")
_NAMES_PROJECT = re.compile(rf"(?<![\w.]){PROJECT}(?![\w-])")
# Options of ``pip install`` that mean the same to ``uv pip install``.
_OF_UV = re.compile(
    r"(-r|-c|-e|-U|--(requirement|constraint|no-deps|only-binary|no-binary|config-settings|upgrade))(=|$)"
)

# Settings of pip and uv that choose what is installed; crosswheel's uv has the caller's.
_OF_INSTALLERS = re.compile(r"(PIP|UV)_(?!DISABLE_PIP_VERSION_CHECK|ROOT_USER_ACTION|NO_PROGRESS|QUIET|VERBOSE)")

# What limits build requirements, by front end; the others call pip or uv in the same way.
_CONSTRAINTS = {
    "pip": ("PIP_CONSTRAINT", "PIP_BUILD_CONSTRAINT"),
    "build": ("PIP_CONSTRAINT",),
    "default": ("PIP_CONSTRAINT",),
    "build[uv]": ("UV_CONSTRAINT",),
    "uv": ("UV_CONSTRAINT", "UV_BUILD_CONSTRAINT"),
}
# What limits all installations, also those of tests.
_OF_TESTS_TOO = ("PIP_CONSTRAINT", "UV_CONSTRAINT")

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
    modes: dict[Target, ContainerMode] = {}
    uses: dict[tuple[str, Use, str], list[str]] = {}
    left_out: list[LeftOut] = []
    for build in resolution.builds:
        found = _target(build, config)
        if found is None:
            continue
        if isinstance(found, LeftOut):
            left_out.append(found)
            continue
        one = _Translation(build, found, config, environ, resolution.version, project)
        options = one.options()
        stopping = {option: why for option, use, why in one.uses if use == "unsupported"}
        for option, use, why in one.uses:
            # A part of an option may be taken that is unsupported as a whole.
            if use == "unsupported" or option not in stopping:
                uses.setdefault((option, use, why), []).append(build.identifier)
        if stopping:
            left_out.append(_stopped(build.identifier, stopping))
        else:
            targets[found] = parsed(options, project)
            modes[found] = one.mode()
    return Adoption(
        version=resolution.version,
        pinned_in=release.pinned_in,
        targets=dict(sorted(targets.items(), key=lambda item: (item[0].arch.name, item[0].python, item[0].policy))),
        options=tuple(OptionUse(*key, tuple(identifiers)) for key, identifiers in sorted(uses.items())),
        left_out=(*left_out, *_not_selected(resolution, config)),
        modes=modes,
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
    project: Path
    uses: list[tuple[str, Use, str]] = field(default_factory=list)
    _builds: list[str] = field(default_factory=list)
    """The options with which the build needs a container."""
    _own_repair: str = ""

    def mode(self) -> ContainerMode:
        """What options cannot say; complete after `options`."""
        return ContainerMode(
            builds=bool(self._builds),
            environment=_unknown_here(self.build.environment),
            test_environment=_unknown_here(self.build.test_environment),
            repair=self._own_repair,
        )

    def options(self) -> dict[str, Any]:
        """Options of crosswheel by name, as in options.toml."""
        for name in self._written(_OF_THE_SELECTION):
            if not (name == "archs" and self._wins(name, "arch")):
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
            **self._constraints("environment", "build-constraint", variables),
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

    def _stop_for_host(self, option: str, text: str) -> None:
        if _HOST.search(text):
            self._stop(option, "it names /host, this machine's files, which crosswheel's containers do not have")

    # ---- options ----------------------------------------------------------------------------------------------

    def _stop_for_engine_and_front_end(self) -> None:
        name, *arguments = self.build.front_end
        if arguments == ["--no-config"]:
            self._note("build-frontend", "without effect", "crosswheel's uv reads no configuration of the project")
        elif arguments:
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
            self._stop_for_host(option, text)
            self._note(option, "taken")
            self._builds.append(option)
            found[option] = text.replace("{package}", "{project}")
        return found

    def _config_settings(self) -> dict[str, Any]:
        if self._wins("config-settings", "config-settings") or not self.build.config_settings:
            return {}
        settings: dict[str, Any] = {}
        for text in self.build.config_settings:
            name, _, value = text.partition("=")
            self._stop_for_host("config-settings", value)
            value = value.replace("{project}", PROJECT).replace("{package}", PROJECT)
            if _NAMES_PROJECT.search(value):
                self._builds.append("config-settings")
            before = settings.get(name)
            settings[name] = value if before is None else [*([before] if isinstance(before, str) else before), value]
        self._note("config-settings", "taken")
        return {"config-settings": settings}

    def _repair(self) -> dict[str, Any]:
        option, command = "repair-wheel-command", self.build.repair
        if option not in self.build.written:
            return {"wider-tags": True}
        if not command.strip():
            self._note(option, "without effect", "crosswheel repairs every compiled wheel")
            return {"wider-tags": True}
        try:
            asked = parse_repair(command, self.target)
        except NotOurs as error:
            self._stop_for_host(option, command)
            self._note(option, "taken", f"run in the container: {error}")
            self._builds.append(option)
            self._own_repair = command.replace("{package}", "{project}")
            return {}
        self._note(option, "taken", "by crosswheel's own repair")
        return {"strip": asked.strip, "exclude": list(asked.exclude), "wider-tags": asked.wider_tags}

    # ---- variables --------------------------------------------------------------------------------------------

    def _environment(self, option: str, assignments: Iterable[Assignment]) -> dict[str, str]:
        values = {}
        for one in assignments:
            if one.passed:
                if one.name in self.environ:
                    values[one.name] = self.environ[one.name]
            elif one.runs or one.needs:
                self._note_unknown(option, one)
            else:
                self._stop_for_host(option, one.value)
                if option == "environment" and _NAMES_PROJECT.search(one.value):
                    self._builds.append(option)
                values[one.name] = one.value
        heard = self._heard(option)
        if installing := sorted(name for name in values if _OF_INSTALLERS.match(name) and name not in heard):
            why = f"on what crosswheel's own uv installs: {', '.join(installing)}"
            self._note(option, "without effect", why)
        for name in self._written([option, *(["environment-pass"] if option == "environment" else [])]):
            self._note(name, "taken")
        return values

    def _heard(self, option: str) -> tuple[str, ...]:
        """The variables of the front end that limit build requirements, or the requirements of tests."""
        names = _CONSTRAINTS.get(self.build.front_end[0], ())
        return names if option == "environment" else tuple(name for name in names if name in _OF_TESTS_TOO)

    def _constraints(self, option: str, ours: str, variables: Mapping[str, str]) -> dict[str, Any]:
        """The files that limit what is installed: pip's and uv's variables list them, separated by spaces."""
        names = [name for name in self._heard(option) if variables.get(name)]
        if not names or self._wins(option, ours):
            return {}
        words = dict.fromkeys(word for name in names for word in variables[name].split())
        files = [word.replace("{project}", ".").replace("{package}", ".").removeprefix(f"{PROJECT}/") for word in words]
        if missing := [file for file in files if not self._has(file)]:
            why = f"{names[0]} names a file that the project does not have: {missing[0]}"
            if all((use, said) != ("unsupported", why) for _, use, said in self.uses):
                self._stop(option, why)
            return {}
        return {ours: files}

    def _has(self, file: str) -> bool:
        """Whether it is a file of the project; another path is one of a container's, not of this machine."""
        path = (self.project / file).resolve()
        return path.is_relative_to(self.project.resolve()) and path.is_file()

    def _note_unknown(self, option: str, one: Assignment) -> None:
        """Note a value that only a container knows, or a command that cibuildwheel runs on this machine."""
        self._stop_for_host(option, one.text)
        if one.name in self._heard(option):
            self._stop(option, f"only a container knows the file that {one.name} names: {one.text}")
        if option == "environment":
            self._builds.append(option)
        elif one.runs:
            self._stop(option, f"{one.name} is the output of a command on this machine: {one.text}")

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
            **self._constraints("test-environment", "test-constraint", {**variables, **own}),
        }

    def _test_command(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if not self._wins("test-sources", "test-sources") and self.build.test_sources:
            self._note("test-sources", "taken")
            found["test-sources"] = list(self.build.test_sources)
        for option, text in (("test-command", self.build.test_command), ("before-test", self.build.before_test)):
            if self._wins(option, option) or not text.strip():
                continue
            self._stop_for_host(option, text)
            self._note(option, "taken")
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


def _unknown_here(assignments: Iterable[Assignment]) -> tuple[tuple[str, str], ...]:
    """The variables whose values only a container knows, and the shell words of the values."""
    return tuple((one.name, one.text) for one in assignments if one.runs or one.needs)


_FIRST_WITH_IDENTIFIER = 4  # the release of cibuildwheel that sets CIBUILDWHEEL_BUILD_IDENTIFIER
