"""A network of two hosts with a delay: this one, and a namespace, whose tun devices (tun(7)) a thread each connects.

It needs root. The kernel's own means, netem, is a module that many machines lack.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import struct
import subprocess
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE, THERE = "10.213.77.1", "10.213.77.2"

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
_CLONE_NEWNET = 0x40000000
_PACKET = 2048  # bytes, above the MTU


class NoLinkError(Exception):
    """This machine does not allow it."""


@dataclass
class SlowLink:
    """Packets take `delay` seconds to the other side. While `is_cut`, they are lost."""

    namespace: str
    delay: float
    is_cut: threading.Event = field(default_factory=threading.Event)
    _ending: threading.Event = field(default_factory=threading.Event)

    @property
    def prefix(self) -> list[str]:
        """Goes before a command that is to run on the other host."""
        return ["ip", "netns", "exec", self.namespace]

    def carry(self, source: int, sink: int) -> None:
        """Carry packets in one direction until the end."""
        on_the_way: deque[tuple[float, bytes]] = deque()
        while not self._ending.is_set():
            pause = max(0.0, on_the_way[0][0] - time.monotonic()) if on_the_way else 0.1
            if select.select([source], [], [], pause)[0]:
                on_the_way.append((time.monotonic() + self.delay, os.read(source, _PACKET)))
            while on_the_way and on_the_way[0][0] <= time.monotonic():
                packet = on_the_way.popleft()[1]
                if not self.is_cut.is_set():
                    with suppress(OSError):
                        os.write(sink, packet)

    def end(self) -> None:
        self._ending.set()


@contextmanager
def slow_link(delay: float) -> Iterator[SlowLink]:
    """A link to a new namespace. Raises NoLinkError."""
    name = f"cw{os.getpid()}"
    if os.geteuid() != 0:
        raise NoLinkError("network namespaces need root")
    try:
        _ip(f"netns add {name}")
    except (OSError, subprocess.CalledProcessError) as error:
        raise NoLinkError(f"no network namespace: {error}") from error
    link = SlowLink(name, delay)
    try:
        try:
            devices = _tun(f"{name}a"), _elsewhere(name, f"{name}b")
        except OSError as error:
            raise NoLinkError(f"no tun device: {error}") from error
        _ip(f"addr add {HERE} peer {THERE} dev {name}a")
        _ip(f"link set {name}a up")
        _ip(f"-n {name} addr add {THERE} peer {HERE} dev {name}b")
        _ip(f"-n {name} link set {name}b up")
        _ip(f"-n {name} link set lo up")
        threads = [threading.Thread(target=link.carry, args=pair) for pair in (devices, devices[::-1])]
        for thread in threads:
            thread.start()
        try:
            yield link
        finally:
            link.end()
            for thread in threads:
                thread.join()
            for device in devices:
                os.close(device)
    finally:
        _ip(f"netns del {name}")


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True, capture_output=True, timeout=20)  # noqa: S607


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH22s", name.encode(), _IFF_TUN | _IFF_NO_PI, b""))
    return device


def _elsewhere(namespace: str, name: str) -> int:
    """A tun device in a namespace, which a thread of its own enters."""
    found: list[int] = []

    def make() -> None:
        with Path("/run/netns", namespace).open("rb") as there:
            if ctypes.CDLL(None).setns(there.fileno(), _CLONE_NEWNET) == 0:
                found.append(_tun(name))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    if not found:
        raise OSError("the namespace cannot be entered")
    return found[0]
