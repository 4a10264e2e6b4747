from pathlib import Path

from crosswheel import sessions

for project in sorted(Path("packages").iterdir()):
    sessions.wheels("aarch64", name=project.name, project=project)
