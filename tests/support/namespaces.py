"""Machines of their own for the parts of a topology: network namespaces on one bridge, with an address each.

In: names.  Out: machines to run programs in, and to cut off from each other.
Never: leaves a namespace or the bridge behind; touches any that it did not make.
Follows: ip-netns(8). Needs root, or CAP_NET_ADMIN and CAP_SYS_ADMIN; without them the test is skipped.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from servers import program_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOBODY = "02:00:00:00:00:01"
"""A hardware address that no machine has: what is sent there is lost, as behind a cable that was cut."""
ORPHANED = ("04", "09", "0B")
"""FIN_WAIT1, LAST_ACK and CLOSING, as Linux numbers the states of TCP."""
LETTERS = 15
"""That the name of a network device may have at most."""


class Machine:
    """One namespace."""

    def __init__(self, name: str, address: str) -> None:
        self.name = f"pgw{os.getpid() % 10_000}-{name}"[:LETTERS]
        self.address = address

    def command(self, words: Sequence[str]) -> list[str]:
        """The command line that runs a program here."""
        return ["ip", "netns", "exec", self.name, *words]

    def orphaned_bytes(self) -> int:
        """What the kernel still has to send on connections that were closed here."""
        lines = subprocess.check_output(self.command(["cat", "/proc/net/tcp"]), text=True).splitlines()[1:]
        return sum(
            int(queues.split(":")[0], 16) for _, _, _, state, queues, *_ in map(str.split, lines) if state in ORPHANED
        )

    def cut_off(self, other: Machine) -> None:
        """Lose all that this machine sends to the other."""
        ip("-n", self.name, "neigh", "replace", other.address, "lladdr", NOBODY, "nud", "permanent", "dev", "eth0")

    def reconnect(self, other: Machine) -> None:
        """Lose nothing any more."""
        ip("-n", self.name, "neigh", "del", other.address, "dev", "eth0")


@contextmanager
def machines(*names: str) -> Iterator[list[Machine]]:
    """Make machines that reach each other, and are reached from here."""
    program_path("ip", "iproute2")
    network = f"10.231.{os.getpid() % 256}"  # another run of the tests may be under way
    made = [Machine(name, f"{network}.{number}") for number, name in enumerate(names, start=10)]
    bridge = f"pgwbr{os.getpid() % 10_000}"
    with ExitStack() as undo:
        _begin_or_skip(bridge, undo)
        ip("addr", "add", f"{network}.1/24", "dev", bridge)
        ip("link", "set", bridge, "up")
        for machine in made:
            _make(machine, bridge, undo)
        yield made


def ip(*words: str) -> None:
    """Run `ip`."""
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


def _begin_or_skip(bridge: str, undo: ExitStack) -> None:
    """Make the bridge, and a namespace to see whether programs may run in one."""
    probe = f"{bridge}-probe"
    undo.callback(_undo, "netns", "del", probe)
    undo.callback(_undo, "link", "del", bridge)
    try:
        ip("netns", "add", probe)
        ip("netns", "exec", probe, "true")
        ip("link", "add", bridge, "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(
            "NOT TESTED: this machine does not permit network namespaces (root is needed, or CAP_SYS_ADMIN and "
            f"CAP_NET_ADMIN): {error.stderr.strip()}"
        )


def _make(machine: Machine, bridge: str, undo: ExitStack) -> None:
    ip("netns", "add", machine.name)
    undo.callback(_undo, "netns", "del", machine.name)
    ip("link", "add", machine.name, "type", "veth", "peer", "name", "eth0", "netns", machine.name)
    undo.callback(_undo, "link", "del", machine.name)  # it would go with the namespace, but some time later
    ip("link", "set", machine.name, "master", bridge, "up")
    ip("-n", machine.name, "addr", "add", f"{machine.address}/24", "dev", "eth0")
    ip("-n", machine.name, "link", "set", "eth0", "up")
    ip("-n", machine.name, "link", "set", "lo", "up")


def _undo(*words: str) -> None:
    with suppress(subprocess.CalledProcessError):
        ip(*words)
