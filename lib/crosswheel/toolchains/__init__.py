"""Compilers that an engine can call, and what build systems must be told to use them for another machine.

zig.py            Zig from the package index: fetched once, checked by hash, its libc and libc++ built once per target
driver/zigcc/     the compiler driver that build systems see, where Zig has headers and C library too
driver/clang/     the same inside a container: Zig's clang, with the image's own headers and libraries
dockcross.py      the compilers of dockcross's images
pinned.py         which versions of tools are fetched, by which hash
ccache.py         what it is told, and what it says of each compile
toolbox.py        a volume with the tools that containers need: uv, ccache, Zig, the drivers
bytecode.py       compiled once, so that emulated interpreters need not
description.py    a target's CPython: its sysconfig and headers
startup.py        what is copied into build environments, and starts with each of their interpreters:
inside/             impersonate.py makes them answer as the target's CPython would
                    side_by_side.py makes setuptools run as many compilers as it may
                    uncompiled.py notes which extensions it was to compile and did not
                    undiscovered.py hides a folder from it
                    hooks.py runs a backend's hooks, and imports it once
configuration.py  the target in the words of zigcc, and Zig in those of build systems
rust.py           the target in the words of Cargo
build_systems.py  the target in the words of CMake, Meson and autoconf
"""
