"""A package index of files: the simple repository API (PEP 503, 691, 658) beside the wheels, for any web server."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

from crosswheel.formats.distributions import Distribution, files_in, read_distribution
from crosswheel.formats.wheels import read_wheel
from crosswheel.system.hashes import sha256_of

SIMPLE = "simple"


@dataclass(frozen=True)
class _File:
    """A file of the index with what its pages say about it."""

    distribution: Distribution
    requires_python: str
    metadata_sha256: str


def write_static_index(folder: Path) -> Path:
    """Write the index of the wheels and sdists in `folder` to `folder`/simple, completely or not at all; return it.

    Each project has index.html and index.json; each wheel a .metadata file beside it. Addresses are relative.
    """
    files = [_described(read_distribution(path)) for path in files_in([folder])]
    projects: dict[str, list[_File]] = defaultdict(list)
    for file in files:
        projects[file.distribution.name].append(file)
    final = folder / SIMPLE
    with tempfile.TemporaryDirectory(dir=folder, prefix=".simple-") as temporary:
        draft = Path(temporary, SIMPLE)
        _write_pages(draft, projects)
        if final.exists():
            shutil.rmtree(final)
        draft.rename(final)
    return final


def _described(distribution: Distribution) -> _File:
    if distribution.kind != "wheel":
        return _File(distribution, "", "")
    wheel = read_wheel(distribution.path)
    metadata = distribution.path.with_name(f"{distribution.filename}.metadata")
    metadata.write_bytes(wheel.archive.read(wheel.archive.files[f"{wheel.dist_info}/METADATA"]))
    return _File(distribution, str(wheel.metadata.get("Requires-Python", "")), sha256_of(metadata))


def _write_pages(root: Path, projects: Mapping[str, Sequence[_File]]) -> None:
    root.mkdir()
    links = "".join(f'<a href="{quote(name)}/">{escape(name)}</a>\n' for name in sorted(projects))
    (root / "index.html").write_text(_page("Simple index", links), "utf-8")
    named = {"meta": {"api-version": "1.0"}, "projects": [{"name": name} for name in sorted(projects)]}
    (root / "index.json").write_text(json.dumps(named, indent=1) + "\n", "utf-8")
    for name, files in projects.items():
        page = root / name
        page.mkdir()
        (page / "index.html").write_text(_page(f"Links for {name}", "".join(map(_link, files))), "utf-8")
        (page / "index.json").write_text(json.dumps(_document(name, files), indent=1) + "\n", "utf-8")


def _page(title: str, links: str) -> str:
    head = f'<meta name="pypi:repository-version" content="1.0"><title>{escape(title)}</title>'
    body = f"<h1>{escape(title)}</h1>\n{links}"
    return f"<!DOCTYPE html>\n<html><head>{head}</head><body>\n{body}</body></html>\n"


def _link(file: _File) -> str:
    distribution = file.distribution
    requires = f' data-requires-python="{escape(file.requires_python)}"' if file.requires_python else ""
    metadata = f' data-core-metadata="sha256={file.metadata_sha256}"' if file.metadata_sha256 else ""
    address = f"{_address(distribution)}#sha256={distribution.sha256}"
    return f'<a href="{address}"{requires}{metadata}>{escape(distribution.filename)}</a><br>\n'


def _address(distribution: Distribution) -> str:
    return f"../../{quote(distribution.filename)}"


def _document(name: str, files: Iterable[_File]) -> Mapping[str, object]:
    return {"meta": {"api-version": "1.0"}, "name": name, "files": [_entry(file) for file in files]}


def _entry(file: _File) -> Mapping[str, object]:
    entry: dict[str, object] = {
        "filename": file.distribution.filename,
        "url": _address(file.distribution),
        "hashes": {"sha256": file.distribution.sha256},
        "size": file.distribution.size,
    }
    if file.requires_python:
        entry["requires-python"] = file.requires_python
    if file.metadata_sha256:
        entry["core-metadata"] = {"sha256": file.metadata_sha256}
    return entry
