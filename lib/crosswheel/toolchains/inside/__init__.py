"""Modules that are copied into build environments and run at the start of each interpreter there.

They must run on every CPython that we build for, without crosswheel, so they only use the standard library.
"""
