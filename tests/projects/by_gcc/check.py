"""What the four modules answer."""
# mypy: ignore-errors

from by_gcc import _fortran, _nested, _openmp, _plain

answers = [module.answer() for module in (_plain, _openmp, _nested, _fortran)]
assert answers == [42, 3, 5, 49], answers
