# mypy: ignore-errors

from setuptools import Extension, setup

setup(ext_modules=[Extension("asks_the_image", ["asks_the_image.c"], libraries=["z", "m"])])
