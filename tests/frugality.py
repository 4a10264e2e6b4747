"""What untrusted input may cost: less than 300 MB of memory and 10 seconds of a processor."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

MEMORY = 300 << 20
SECONDS = 10

READERS = {
    ".whl": "from crosswheel.auditing.run import audit_wheel; told = audit_wheel(path)",
    ".gz": "from crosswheel.formats import sdists; sdists.read_sdist(path); sdists.unpack(path, path.parent / 'out')",
    ".toml": "from crosswheel.model.config_reader import load_config; load_config(path.parent, {})",
}
MEASURED = """
import re, resource, sys
from pathlib import Path
from crosswheel.errors import CrosswheelError
path, told = Path(sys.argv[1]), ()
try:
    {reader}
    print("read", len(told))
except CrosswheelError as error:
    print(type(error).__name__, error.message)
used = resource.getrusage(resource.RUSAGE_SELF)
# Not ru_maxrss, which begins with what the parent had.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) << 10
print(peak, used.ru_utime + used.ru_stime)
"""


def frugally(reader: str, subject: str, seconds: float = SECONDS) -> str:
    """What it comes to, when memory and time were kept."""
    code = MEASURED.replace("{reader}", textwrap.indent(reader, "    ").lstrip())
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code, subject], env=environ, capture_output=True, encoding="utf-8", timeout=300,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    told, numbers = done.stdout.rstrip("\n").rsplit("\n", 1)
    memory, used = numbers.split()
    assert int(memory) < MEMORY, f"{int(memory) >> 20} MiB"
    assert float(used) < seconds
    return told
