"""Reads the files of CI systems as their runners do, as far as shell commands and files between jobs are concerned."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Job:
    """`commands` are run one after the other, each in a shell that ends at the first error.

    Before them come `takes`, after them goes `gives`: the name of files that are handed on -> their folder, or their
    patterns relative to the project.
    """

    name: str
    commands: list[str]
    variables: dict[str, str] = field(default_factory=dict)
    takes: list[tuple[str, str]] = field(default_factory=list)
    gives: list[tuple[str, list[str]]] = field(default_factory=list)


def github(text: str) -> Iterator[Job]:
    for name, job in yaml.safe_load(text)["jobs"].items():
        rows = job.get("strategy", {}).get("matrix", {}).get("include", [{}])
        for row in rows:
            env = {key: _filled(value, row) for key, value in job.get("env", {}).items()}
            made = Job(name, [], env)
            for step in job["steps"]:
                _github_step(step, row, made)
            yield made


def _github_step(step: Mapping[str, Any], row: Mapping[str, Any], job: Job) -> None:
    values = {key: _filled(value, row) for key, value in step.get("with", {}).items()}
    if "run" in step:
        job.commands.append(step["run"])
    elif "download-artifact" in step["uses"]:
        job.takes.append((values.get("pattern", values.get("name", "")), values["path"]))
    elif "upload-artifact" in step["uses"]:
        job.gives.append((values["name"], values["path"].split()))


def _filled(value: Any, row: Mapping[str, Any]) -> str:
    return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda found: str(row[found[1]]), str(value))


def gitlab(text: str) -> Iterator[Job]:
    document = yaml.safe_load(text)
    stages = document["stages"]
    made = {
        name: {**document.get(body.get("extends", ""), {}), **body}
        for name, body in document.items()
        if isinstance(body, dict) and ("script" in body or "extends" in body) and not name.startswith(".")
    }
    for name, body in sorted(made.items(), key=lambda item: stages.index(item[1]["stage"])):
        lines = [line for part in body["script"] for line in (part if isinstance(part, list) else [part])]
        variables = {**document.get(body.get("extends", ""), {}).get("variables", {}), **body.get("variables", {})}
        own = {key: value for key, value in variables.items() if not key.startswith("DOCKER_")}
        takes = [("*", "")] if body["stage"] != stages[0] else []  # the artifacts of earlier stages
        paths = body.get("artifacts", {}).get("paths", [])
        yield Job(name, lines, own, takes, [(name, paths)] if paths else [])


def circleci(text: str) -> Iterator[Job]:
    document = yaml.safe_load(text)
    for entry in document["workflows"]["wheels"]["jobs"]:
        (name,) = entry
        body = document["jobs"][name]
        made = Job(name, [], body.get("environment", {}))
        for step in body["steps"]:
            kind, values = (step, {}) if isinstance(step, str) else next(iter(step.items()))
            if kind == "run":
                made.commands.append(values["command"])
            elif kind == "attach_workspace":
                made.takes.append(("*", values["at"]))
            elif kind == "persist_to_workspace":
                made.gives.append((name, values["paths"]))
        yield made


def travis(text: str) -> Iterator[Job]:
    document = yaml.safe_load(text)
    stages = [stage if isinstance(stage, str) else stage["name"] for stage in document["stages"]]
    for body in sorted(document["jobs"]["include"], key=lambda body: stages.index(body["stage"])):
        script = body["script"] if isinstance(body["script"], list) else [body["script"]]
        variables = dict(word.split("=", 1) for word in body.get("env", "").split())
        spaces = body.get("workspaces", {})
        made = spaces.get("create")
        # One shell runs them all there, so that an environment that is activated stays so.
        setup = document["before_install"]
        activate = next(line for line in setup if line.endswith("/activate"))
        commands = ["\n".join(setup), *(f"{activate}\n{line}" for line in script)]
        gives = [(made["name"], made["paths"])] if made else []
        yield Job(
            body.get("name", body["stage"]), commands, variables, [(one, "") for one in spaces.get("use", [])], gives
        )


READERS: Mapping[str, Callable[[str], Iterator[Job]]] = {
    "github": github,
    "gitlab": gitlab,
    "circleci": circleci,
    "travis": travis,
}


@dataclass(frozen=True)
class Store:
    """The files that jobs hand on, below `folder`, by name. GitHub keeps paths from where the patterns part."""

    folder: Path
    from_the_top: bool

    def give(self, project: Path, name: str, patterns: list[str]) -> None:
        found = [path for pattern in patterns for path in self._matches(project, pattern)]
        top = project if self.from_the_top else project / Path(patterns[0]).parts[0]
        for path in found:
            place = self.folder / name / path.relative_to(top)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)

    @staticmethod
    def _matches(project: Path, pattern: str) -> Iterator[Path]:
        for path in project.glob(pattern.rstrip("/")):
            yield from (one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]

    def take(self, project: Path, pattern: str, place: str) -> None:
        there = sorted(self.folder.glob(pattern))
        assert there, f"nothing is there as {pattern}"
        for folder in there:
            shutil.copytree(folder, project / place, dirs_exist_ok=True)
