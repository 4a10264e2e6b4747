"""Makes the plan: one job per target with the reason for its engine, and the targets left out with reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag

from crosswheel.auditing.rules.tags import would_install
from crosswheel.errors import SourceError
from crosswheel.model.config import Config
from crosswheel.model.job import BEST, Interpreter, Job, LeftOut, Plan, Refusal
from crosswheel.model.targets import Architecture, Policy, PythonTag, Target, oldest_policy, python_tags

Offer = Callable[[str, Target], "Interpreter | str"]
"""Engine name, target -> the interpreter that would run the build backend, or why there is none."""


def make_plan(
    config: Config,
    requires_python: str,
    interpreters: Mapping[PythonTag, Interpreter],
    ladder: Sequence[str],
    offer: Offer,
    elsewhere: Collection[PythonTag] = (),
    why: str = BEST,
) -> Plan:
    """The plan for one source; `ladder` has the engines in the order in which they are tried, and `why` the reason.

    `interpreters` are this machine's; `elsewhere` are those of images.
    """
    allowed = _specifier(requires_python)
    jobs: list[Job] = []
    # What is adopted names its Pythons; without any, it has no target.
    wanted = config.build.python or (() if config.adoption else python_tags())
    left_out = [
        LeftOut(str(tag), *reason, asked_for=tag in config.build.python)
        for tag in wanted
        if (reason := _python_refused(tag, allowed, requires_python, interpreters, elsewhere))
    ]
    gone = {entry.what for entry in left_out}
    tags = sorted(tag for tag in wanted if str(tag) not in gone)
    # Oldest Python first, so that a stable-ABI wheel serves the later ones.
    for target in config.targets(tags):
        job = plan_job(target, config.build.engine_for(target), ladder, offer, why)
        if isinstance(job, Job):
            jobs.append(job)
        else:
            # A Python that only images of other architectures have was not requested for this one.
            asked_for = target.python in config.build.python or target.python in interpreters
            left_out.append(replace(job, asked_for=asked_for))
    if config.adoption:
        left_out = [*config.adoption.left_out, *left_out]
    return Plan(config.build.source, tuple(jobs), tuple(left_out), adoption=config.adoption)


def promised_targets(config: Config, requires_python: str, pythons: Sequence[PythonTag]) -> tuple[Target, ...]:
    """The targets that the project's wheels must serve, independent of the machine.

    `pythons` are used if the configuration names none; a plan would use those of its machine.
    """
    allowed = _specifier(requires_python)
    tags = sorted(
        tag for tag in config.build.python or pythons if allowed.contains(f"{tag.version}.99", prereleases=True)
    )
    return tuple(target for target in config.targets(tags) if not _policy_refused(target.policy, target))


def served_targets(
    tags: frozenset[Tag], requires_python: str, platforms: Iterable[tuple[Policy, Architecture]]
) -> Iterator[Target]:
    """The targets on `platforms` for which pip would install a wheel with `tags`."""
    allowed = _specifier(requires_python)
    for (policy, arch), python in product(platforms, python_tags()):
        target = Target(python, arch, policy)
        if allowed.contains(f"{python.version}.99", prereleases=True) and would_install(tags, target):
            yield target


def plan_job(target: Target, engine: str, ladder: Sequence[str], offer: Offer, why: str = BEST) -> Job | LeftOut:
    """The job of the first engine that can serve a target, with the others as fallbacks.

    `why` is the reason for taking the first engine of the ladder.
    """
    if reason := _policy_refused(target.policy, target):
        return LeftOut(str(target), *reason, asked_for=True)
    refused: list[Refusal] = []
    rungs = tuple(ladder) if engine == "auto" else (engine,)
    for at, rung in enumerate(rungs, start=1):
        offered = offer(rung, target)
        if isinstance(offered, Interpreter):
            chosen = "asked for" if engine != "auto" else BEST if refused else why
            return Job(target, rung, offered, chosen, tuple(refused), _fallbacks(target, rungs[at:], offer))
        refused.append(Refusal(rung, offered))
    remedy = _remedy(refused)
    return LeftOut(str(target), _reasons(refused, remedy), remedy, asked_for=True)


# A remedy with two parts has a semicolon of its own: "curl -I ADDRESS; or --mirrors HOST".
_BEFORE_REMEDY = re.compile(r"; (?!(?:or|then) )")


def _reasons(refused: Iterable[Refusal], remedy: str) -> str:
    """Each reason once, with the engines that it holds for, without the remedy that is named beside the reasons."""
    engines: dict[str, list[str]] = {}
    for refusal in refused:
        engines.setdefault(refusal.reason.removesuffix(f"; {remedy}"), []).append(refusal.engine)
    return "; ".join(f"{', '.join(names)}: {reason}" for reason, names in engines.items())


def _remedy(refused: Iterable[Refusal]) -> str:
    """The first remedy, which is the end of a reason; another engine only if there is no other."""
    split = (_BEFORE_REMEDY.split(refusal.reason) for refusal in refused)
    remedies = [parts[-1] for parts in split if len(parts) > 1]
    return min(remedies, key=lambda remedy: remedy.startswith("--engine"), default="")


def _fallbacks(target: Target, rungs: Sequence[str], offer: Offer) -> tuple[Job, ...]:
    offers = ((rung, offer(rung, target)) for rung in rungs)
    return tuple(Job(target, rung, offered) for rung, offered in offers if isinstance(offered, Interpreter))


def _specifier(requires_python: str) -> SpecifierSet:
    try:
        return SpecifierSet(requires_python)
    except InvalidSpecifier as error:
        raise SourceError(
            f"requires-python is not a version specifier: {requires_python!r}", hint="correct it in pyproject.toml"
        ) from error


def _python_refused(
    tag: PythonTag,
    allowed: SpecifierSet,
    requires_python: str,
    interpreters: Mapping[PythonTag, Interpreter],
    elsewhere: Collection[PythonTag],
) -> tuple[str, str] | None:
    interpreter = interpreters.get(tag)
    # Without the interpreter, its newest patch release counts.
    version = interpreter.version if interpreter else f"{tag.version}.99"
    if not allowed.contains(version, prereleases=True):
        return f"requires-python is {requires_python}", ""
    if interpreter is None and tag not in elsewhere:
        # The same text for all, so that they are shown in one line.
        return "no such CPython on this machine", "--python with its name: uv downloads it"
    return None


def _policy_refused(policy: Policy, target: Target) -> tuple[str, str] | None:
    oldest = oldest_policy(target.arch)
    if policy.libc == "glibc" and policy.minor < target.arch.oldest_glibc:
        return f"there is no {policy} for {target.arch}; its oldest is {oldest}", f"--policy {oldest}"
    return None
