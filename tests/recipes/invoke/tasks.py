from invoke.collection import Collection
from invoke.context import Context
from invoke.tasks import call, task

from crosswheel.tasks import audit, plan, wheels


@task
def clean(c: Context) -> None:
    """Remove the wheels of the last run."""
    c.run("rm -rf wheelhouse")


@task(pre=[clean, wheels], post=[call(audit, wheels="wheelhouse")])
def dist(_c: Context) -> None:
    """Build the wheels from nothing and audit them."""


ns = Collection(clean, dist, plan, wheels, audit)
ns.configure({"crosswheel": {"arch": ["aarch64"], "test": "never"}})
