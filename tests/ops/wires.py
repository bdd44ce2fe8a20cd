"""Hosts in network namespaces on one switch, whose cables can be pulled: what is sent then is lost, and nobody is told.

The switch lives in a namespace of its own, so addresses and names of this machine's network stay as they are.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_SWITCH = "br0"
SERVER = "10.77.0.1"


def why_not() -> str:
    """Why there can be no namespaces here; empty when there can."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "iproute2 and util-linux are not installed"
    name = f"turnus-{os.getpid()}-try"
    tried = _run("ip", "netns", "add", name, check=False)
    if tried.returncode:
        return f"network namespaces are not permitted here: {tried.stderr.strip()}"
    try:
        wired = _run("ip", "-n", name, "link", "add", _SWITCH, "type", "bridge", check=False)
        return f"no bridges here: {wired.stderr.strip()}" if wired.returncode else ""
    finally:
        _run("ip", "netns", "del", name)


def _run(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, check=check, capture_output=True, text=True)


class Wires:
    """The server's place (`SERVER`) and the hosts 1, 2, ... on one switch."""

    def __init__(self, hosts: int) -> None:
        self.hub = f"turnus-{os.getpid()}-hub"
        self.hosts = {number: f"turnus-{os.getpid()}-h{number}" for number in range(1, hosts + 1)}

    def lay(self) -> None:
        for name in (self.hub, *self.hosts.values()):
            _run("ip", "netns", "add", name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _run("ip", "-n", self.hub, "link", "add", _SWITCH, "type", "bridge", "stp_state", "0")
        _run("ip", "-n", self.hub, "addr", "add", f"{SERVER}/24", "dev", _SWITCH)
        _run("ip", "-n", self.hub, "link", "set", _SWITCH, "up")
        for number, name in self.hosts.items():
            _run(
                "ip", "-n", self.hub, "link", "add", f"port{number}", "type", "veth", "peer", "eth0", "netns", name
            )  # fmt: skip
            _run("ip", "-n", name, "addr", "add", f"10.77.0.{10 + number}/24", "dev", "eth0")
            _run("ip", "-n", name, "link", "set", "eth0", "up")
            _run("ip", "-n", self.hub, "link", "set", f"port{number}", "up")
            self.join(number)

    def cut(self, number: int) -> None:
        """As a cable pulled behind a second switch: neither end sees its link go down."""
        _run("ip", "-n", self.hub, "link", "set", f"port{number}", "nomaster")

    def join(self, number: int) -> None:
        _run("ip", "-n", self.hub, "link", "set", f"port{number}", "master", _SWITCH)

    def take_up(self) -> None:
        for name in (*self.hosts.values(), self.hub):
            _run("ip", "netns", "del", name, check=False)


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """What is started within has that namespace's network, and so has this thread until the end."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(Path("/run/netns") / namespace, os.O_RDONLY)
    try:
        _enter(libc, there)
        try:
            yield
        finally:
            _enter(libc, home)
    finally:
        os.close(there)
        os.close(home)


def _enter(libc: ctypes.CDLL, fd: int) -> None:
    if libc.setns(fd, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
