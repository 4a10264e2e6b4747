"""`certificates`: make the certificates of a scheduler, its workers and its users."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crosswheel import __version__
from crosswheel.commands.call import Call, from_code, public
from crosswheel.commands.result import Result
from crosswheel.fleet.addresses import CA, NAMES, certificate, certificates_folder, key
from crosswheel.fleet.certificates import DAYS, make_certificates
from crosswheel.model.job import Listener
from crosswheel.reporting.document import SCHEMA, Document

if TYPE_CHECKING:
    from rich.console import Console
    from typing_extensions import Unpack

    from crosswheel.model.keyword_types import CertificatesOptions, PathText


@dataclass(frozen=True)
class CertificatesReport(Result):
    """The folder of the certificates, and the files that were made."""

    folder: Path
    files: tuple[Path, ...]

    def document(self) -> Document:
        heading = {"schema": SCHEMA, "kind": "certificates", "crosswheel": __version__}
        return {**heading, "folder": str(self.folder), "files": [path.name for path in self.files]}

    def text(self, _console: Console | None = None) -> str:
        """What each machine needs, and the command that starts the scheduler."""
        lines = [f"{self.folder}: certificates for {DAYS} days"]
        for name in NAMES:
            needed = (certificate(self.folder, CA), certificate(self.folder, name), key(self.folder, name))
            lines.append(f"  {name}: {', '.join(path.name for path in needed)}")
        lines.append(f"  keep {key(self.folder, CA).name} on this machine: it can make more of them")
        words = (
            f"--tls-ca-file {certificate(self.folder, CA)}",
            f"--tls-cert {certificate(self.folder, 'scheduler')}",
            f"--tls-key {key(self.folder, 'scheduler')}",
        )
        lines.append(f"  next: dask scheduler --protocol tls --no-dashboard {' '.join(words)}")
        return "\n".join(lines) + "\n"


@public
def certificates(
    *, project: PathText = ".", listener: Listener | None = None, **options: Unpack[CertificatesOptions]
) -> CertificatesReport:
    """Make a certificate authority, and certificates for the scheduler, the workers and the users of a cluster.

    `project` is the folder whose pyproject.toml counts. `listener` hears nothing.

    Returns a CertificatesReport: `.folder`, `.files`, `.document()`; str() says which machine needs which file.
    Raises UsageError if there are some already, MissingTool without the extra `distributed`.
    """
    return from_code(run, "certificates", project, listener, options)


def run(call: Call) -> CertificatesReport:
    folder = certificates_folder(call.config.fleet.certificates, call.environ)
    return CertificatesReport(folder, make_certificates(folder))
