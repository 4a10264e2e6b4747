"""What runs inside a build environment: copied into it, and started with each of its interpreters.

It has to run on every CPython that we build for, without crosswheel, and so uses the standard library alone.
"""
