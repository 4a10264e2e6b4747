"""`crosswheel` and `python -m crosswheel`: the console command."""

from __future__ import annotations

import sys

from crosswheel import __version__
from crosswheel.reporting.streams import guarded_streams
from crosswheel.system.endings import ending_in_order


def main() -> None:
    """Start what the command line asks for; raises SystemExit with the exit code."""
    # The version needs no options and no invoke, whose import takes most of the time.
    if sys.argv[1:] in (["--version"], ["-V"]):
        with ending_in_order(), guarded_streams():
            sys.stdout.write(f"crosswheel {__version__}\n")
        return
    from crosswheel.tasks import main as run

    run()


if __name__ == "__main__":
    main()
