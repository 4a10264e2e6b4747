"""Whole dependency trees: what an application requires, and which of it has a wheel for a platform.

cells.py           a Python on a platform, as installers see it
inputs.py          what a caller names: requirements, projects, lock files
resolution.py      resolves requirements with uv into a lock (PEP 751)
refusals.py        what uv's messages mean, where it does not
judging.py         each package of a lock in each cell: wheel, pure, to build or impossible
verdicts.py        what was found of one package in one cell
known_verdicts.py  the same from an earlier run on the same lock
explanations.py    for packages without a wheel: which versions have one
readiness.py       all of it for one tree
building.py        what is to be built, and how it ended
order.py           in which order
uploads.py         the releases of a tree, and how they reached an index
proof.py           uv's answer to whether a folder has all of it
"""
