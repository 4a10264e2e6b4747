"""For tests of your own steps, rules and projects: tiny wheels and libraries, a work without a compiler, an index.

>>> def test_sign(tmp_path):
...     work = tiny_work(tmp_path, tiny_wheel(tmp_path))
...     assert "tiny-1.0.dist-info/RECORD.jws" in sign(work).read().members

No container, compiler or network is used.
"""

from __future__ import annotations

from crosswheel.testing.fake_index import serving_index
from crosswheel.testing.fake_workspace import FakeWorkspace, tiny_work
from crosswheel.testing.tiny_files import tiny_elf, tiny_wheel

__all__ = ["FakeWorkspace", "serving_index", "tiny_elf", "tiny_wheel", "tiny_work"]
