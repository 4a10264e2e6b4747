"""A program: whether versions match conda's specifiers. The argument is JSON: pairs of specifier and version.

In a process of its own: py-rattler ends the interpreter with a fatal error, so this leaves before that.
"""

from __future__ import annotations

import json
import os
import sys

import rattler

if __name__ == "__main__":
    pairs = json.loads(sys.argv[1])
    matches = [rattler.VersionSpec(spec).matches(rattler.Version(version)) for spec, version in pairs]
    sys.stdout.write(json.dumps(matches))
    sys.stdout.flush()
    os._exit(0)
