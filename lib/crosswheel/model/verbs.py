"""What one can ask for, under the same names in nox, invoke and the console command."""

from __future__ import annotations

from typing import Any, NamedTuple


class Verb(NamedTuple):
    """What it does in a sentence, and the option that a word right after it stands for: one of texts takes many."""

    text: str
    positional: str = ""


VERBS = {
    "plan": Verb("Show what would be built, and why.", "source"),
    "wheels": Verb("Build, repair, audit and test wheels for every configured architecture.", "source"),
    "audit": Verb("Check wheels of any builder, for any architecture, without running them.", "wheels"),
    "check": Verb("See whether sdist and wheels are fit to be released: nothing is run, sent or fetched.", "wheels"),
    "upload": Verb("Send to an index what it lacks of a release; again after whatever went wrong.", "wheels"),
    "verify": Verb("Read a release back from an index, and prove that installers choose it.", "wheels"),
    "status": Verb("Show how far a release has come, target by target; nothing is run, sent or changed.", "wheels"),
    "release": Verb("From a tagged commit to an index that is proved to serve what was built.", "wheels"),
    "shell": Verb("Open a shell where a target's wheel would be built.", "target"),
    "cache": Verb("Show what is kept between runs, here and on the Docker host, and trim it."),
    "register": Verb("Make the Docker host run programs of every configured architecture."),
    "pull": Verb("Fetch the images that wheels are built in, and check them."),
    "doctor": Verb("Show what this machine and its Docker hosts can do, and what mends what they cannot."),
}

# What counts for a verb in place of what pyproject.toml says. In seconds: people think longer than jobs run.
INSTEAD: dict[str, dict[str, Any]] = {"shell": {"timeout": 12 * 3600}}
