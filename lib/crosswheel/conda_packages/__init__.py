"""Wheels as conda packages, in a channel that conda, mamba and pixi install from."""
