"""A release as release.json and as Markdown for release notes; `docs/release.schema.json` describes the document."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from crosswheel import __version__
from crosswheel.formats.build_reports import Build
from crosswheel.formats.distributions import Distribution
from crosswheel.formats.wheel_names import split_name
from crosswheel.publishing.changelog import ChangelogEntry
from crosswheel.publishing.manifest import Manifest
from crosswheel.publishing.verification import Verification
from crosswheel.reporting.document import SCHEMA, Document, write_json, write_text
from crosswheel.reporting.markdown import escape, fenced, row
from crosswheel.reporting.untrusted import one_line
from crosswheel.reporting.wording import count_text, seconds_text, size_text


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write release.json and release.md, each completely or not at all."""
    write_json(folder / "release.json", manifest_document(manifest))
    write_text(folder / "release.md", manifest_markdown(manifest))


def manifest_document(manifest: Manifest) -> Document:
    """The document, safe to publish: file names without folders, addresses without credentials."""
    files = manifest.distributions
    return {
        "schema": SCHEMA,
        "kind": "release",
        "crosswheel": __version__,
        "name": files[0].name,
        "version": str(files[0].version),
        "tag": manifest.tag,
        "commit": manifest.checkout.commit,
        "committed": _moment(manifest.checkout.committed),
        "released": _moment(manifest.released),
        "changelog": {"file": manifest.entry.path.name, "title": manifest.entry.title, "text": manifest.entry.text},
        "tools": dict(manifest.tools),
        "files": [_file(file, manifest) for file in files],
        "indexes": [_index(verification) for verification in manifest.verifications],
        "totals": {
            "files": len(files),
            "bytes": sum(file.size for file in files),
            "targets": len(made := _made(manifest)),
            "tested": sum(build.tested for build in made),
        },
    }


def manifest_markdown(manifest: Manifest) -> str:
    """The changelog entry, the files with their sha256, and the provenance."""
    parts = [
        f"## {escape(one_line(manifest.release))}",
        _news(manifest.entry),
        "### Files",
        "\n".join(_table(manifest)),
        "### Provenance",
        "\n".join(f"- {escape(line)}" for line in _provenance(manifest)),
    ]
    return "\n\n".join(parts) + "\n"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="seconds")


def _file(file: Distribution, manifest: Manifest) -> Document:
    return {
        "file": file.filename,
        "kind": file.kind,
        "size": file.size,
        "sha256": file.sha256,
        "tag": _tag(file) or None,
        "sboms": list(manifest.sboms.get(file.filename, ())),
        "builds": [_build(build) for build in manifest.builds_of(file)],
    }


def _tag(file: Distribution) -> str:
    return split_name(file.filename).tag if file.kind == "wheel" else ""


def _build(build: Build) -> Document:
    return {
        "target": str(build.target),
        "status": build.status,
        "engine": build.engine,
        "image": build.image or None,
        "crosswheel": build.crosswheel,
        "note": build.note,
        "tested": build.tested,
        "untested": build.untested,
        "seconds": round(_seconds(build), 3),
        "steps": [asdict(step) for step in build.steps],
    }


def _seconds(build: Build) -> float:
    return sum(step.seconds for step in build.steps)


def _index(verification: Verification) -> Document:
    repository = verification.repository
    served = {file.filename: file for file in verification.published}
    return {
        "name": _name(verification),
        "upload_url": _address(repository.upload_url),
        "simple_url": _address(repository.simple_url),
        "ok": verification.ok,
        "files": [
            {"file": file.filename, "sha256": served[file.filename].sha256, "url": _address(served[file.filename].url)}
            for file in verification.files
            if file.filename in served
        ],
        "targets": [{"target": str(choice.target), "file": choice.filename} for choice in verification.choices],
        "differences": [asdict(difference) for difference in verification.differences],
        "fetched": verification.fetched,
        "seconds": round(verification.seconds, 3),
    }


def _name(verification: Verification) -> str:
    """The name of the index, or its address if it has no name."""
    name = verification.repository.name
    return _address(name) if "://" in name else name


def _address(url: str) -> str:
    """The address without user name, password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment=""))


# ---- Markdown -----------------------------------------------------------------------------------------------------


def _news(entry: ChangelogEntry) -> str:
    """The changelog entry: Markdown as it was written, any other markup as a code block."""
    return entry.text if entry.is_markdown else fenced(entry.text)


def _table(manifest: Manifest) -> Iterator[str]:
    yield row(["file", "size", "sha256", "built by", "tested on"])
    yield row(["---", "--:", "---", "---", "---"])
    for file in manifest.distributions:
        builds = manifest.builds_of(file)
        engines = ", ".join(dict.fromkeys(one_line(build.engine) for build in builds if build.steps))
        tested = ", ".join(str(build.target) for build in builds if build.tested)
        yield row([one_line(file.filename), size_text(file.size), file.sha256, engines, tested])


def _made(manifest: Manifest) -> list[Build]:
    """The build records of exactly these files."""
    return [build for file in manifest.distributions for build in manifest.builds_of(file)]


def _provenance(manifest: Manifest) -> Iterator[str]:
    yield f"tag {one_line(manifest.tag)}, commit {manifest.checkout.commit} of {_moment(manifest.checkout.committed)}"
    for image in dict.fromkeys(build.image for build in manifest.builds if build.image and build.file):
        yield f"built in {one_line(image)}"
    if seconds := sum(_seconds(build) for build in manifest.builds):
        made = _made(manifest)
        tested = sum(build.tested for build in made)
        yield f"made in {seconds_text(seconds)}, and tested on {tested} of {count_text(len(made), 'target')}"
    for verification in manifest.verifications:
        where = one_line(f"{_name(verification)}, {_address(verification.repository.simple_url)}")
        count = count_text(len(verification.differences), "difference")
        yield f"read back from {where}: {'the same bytes' if verification.ok else count}"
    yield ", ".join(one_line(f"{tool} {version}") for tool, version in manifest.tools.items())
