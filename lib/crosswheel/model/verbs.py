"""The verbs: their names are the same in nox, invoke and the console command."""

from __future__ import annotations

from typing import Any, NamedTuple


class Verb(NamedTuple):
    """A description in one sentence, and the option that words without a flag stand for.

    `is_command`: the first such word and all words after it are one command, whose flags are its own.
    """

    text: str
    positional: str = ""
    is_command: bool = False


VERBS = {
    "plan": Verb("Show what would be built, and why.", "source"),
    "wheels": Verb("Build, repair, audit and test wheels for every configured architecture.", "source"),
    "audit": Verb("Check wheels of any builder, for any architecture, without running them.", "wheels"),
    "check": Verb("Check that sdist and wheels are ready for release; nothing is run, sent or fetched.", "wheels"),
    "upload": Verb("Upload the files of a release that an index lacks; can be repeated after a failure.", "wheels"),
    "verify": Verb("Compare a release on an index with the built files, and check that pip chooses them.", "wheels"),
    "status": Verb("Show the status of a release for each target; nothing is run, sent or changed.", "wheels"),
    "release": Verb("Release a tagged commit: check and upload its files, and verify what the index serves.", "wheels"),
    "ci": Verb("Write the file of a CI system that builds, checks and publishes the wheels of the plan.", "system"),
    "readiness": Verb("Show which packages of a dependency tree have wheels for other platforms.", "requirements"),
    "wheelhouse": Verb("Gather the wheels of a dependency tree; build those that are missing.", "requirements"),
    "report": Verb("Write the page of a run, a tree or a release from their JSON files.", "reports"),
    "conda": Verb("Make conda packages of audited wheels, in a local channel.", "wheels"),
    "accelerate": Verb(
        "Run a command that starts emulated containers, such as cibuildwheel, unchanged and faster.", "command", True
    ),
    "shell": Verb("Open a shell in the build environment of a target.", "target"),
    "worker": Verb("Build for others: start a worker of a scheduler of dask.distributed.", "scheduler"),
    "certificates": Verb("Make the certificates of a scheduler, its workers and its users."),
    "cache": Verb("Show and trim the caches on this machine and on the Docker host."),
    "register": Verb("Register emulators on the Docker host for every configured architecture."),
    "pull": Verb("Pull and check the images that wheels are built in."),
    "doctor": Verb("Diagnose this machine and its Docker hosts, with a fix for each problem."),
}

# Values that replace pyproject.toml's for a verb. In seconds: people work in a shell for longer than jobs run. The
# index of the project's own releases is not for the wheels of others.
INSTEAD: dict[str, dict[str, Any]] = {"shell": {"timeout": 12 * 3600}, "wheelhouse": {"repository": ""}}
