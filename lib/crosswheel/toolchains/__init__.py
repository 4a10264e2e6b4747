"""Compilers that an engine can call, and what build systems must be told to use them for another machine.

zig.py            Zig from the package index: fetched once, checked by hash, its libc and libc++ built once per target
zigcc.c           the compiler driver that build systems see
description.py    a target's CPython: its sysconfig and headers
impersonate.py    makes the interpreters of a build environment answer as that CPython would
configuration.py  the same facts for CMake, Meson, autoconf and pkg-config
"""
