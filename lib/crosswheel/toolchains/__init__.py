"""Compilers for engines, and the configuration of build systems for another machine.

zig.py            Zig from the package index: fetched once, verified by hash; libc and libc++ built once per target
zig_library.py    our changes to the library folder from which Zig compiles
driver/zigcc/     the compiler driver that build systems call; Zig provides headers and C library
driver/clang/     the same in a container: Zig's clang with the image's headers and libraries
dockcross.py      the compilers of dockcross's images
pinned.py         the pinned versions and hashes of tools
ccache.py         the settings and statistics of ccache
toolbox.py        a volume with the tools for containers: uv, ccache, Zig, the drivers
bytecode.py       bytecode compiled once for emulated interpreters
description.py    a target's CPython: its sysconfig and headers
startup.py        modules that run at each interpreter start in build environments:
inside/             impersonate.py makes interpreters answer like the target's CPython
                    side_by_side.py makes setuptools run compilers in parallel
                    uncompiled.py notes extensions that were not compiled
                    unrun.py notes programs of the target that a build starts where none runs
                    undiscovered.py hides a folder from setuptools' package discovery
                    hooks.py runs a backend's hooks, importing the backend once
configuration.py  the configuration of zigcc, and of build systems for Zig
cpuinfo.py        the /proc/cpuinfo of the target
rust.py           the configuration of Cargo
go.py             the configuration of Go
build_systems.py  the configuration of CMake, Meson and autoconf
"""
