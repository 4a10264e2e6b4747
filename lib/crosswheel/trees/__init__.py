"""Whole dependency trees: what an application requires, and which of it has a wheel for a platform.

cells.py         a Python on a platform, as installers see it
inputs.py        what a caller names: requirements, projects, lock files
resolution.py    resolves requirements with uv into a lock (PEP 751)
verdicts.py      each package of a lock in each cell: wheel, pure, to build or impossible
explanations.py  for packages without a wheel: which versions have one
readiness.py     all of it for one tree
"""
