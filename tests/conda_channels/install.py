"""A program: py-rattler solves for a platform and installs into a prefix. Arguments are one JSON object.

In a process of its own: py-rattler ends the interpreter with a fatal error, so this leaves before that.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import rattler


def main(wanted: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(asyncio.run(_install(**wanted))))
    sys.stdout.flush()
    os._exit(0)


async def _install(channel: str, platform: str, specs: list[str], glibc: str, prefix: str, cache: str) -> list[str]:
    """The file names of the packages that were installed."""
    subdir = rattler.Subdir(platform)
    virtual = [
        rattler.GenericVirtualPackage(rattler.PackageName(name), rattler.Version(version), rattler.BuildString("0"))
        for name, version in (("__glibc", glibc), ("__linux", "5.10"), ("__unix", "0"))
    ]
    records = await rattler.solve(
        [rattler.Channel(channel)],
        [rattler.MatchSpec(spec) for spec in specs],
        platforms=[subdir, rattler.Subdir("noarch")],
        virtual_packages=virtual,
    )
    await rattler.install(
        records,
        target_prefix=prefix,
        cache_dir=Path(cache),
        platform=subdir,
        show_progress=False,
        execute_link_scripts=False,
    )
    return [record.file_name for record in records]


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
