"""The sockets to listen on: bound here, or handed over by systemd.

In: addresses as --web.listen-address has them; the environment that systemd has prepared.
Out: what gunicorn is to listen on; StartError that names what cannot be used.
Never: accepts a connection.
Follows: sd_listen_fds(3); Go's net.Listen for which of several addresses is taken.
"""

import errno
import os
import socket
import time
from collections.abc import Iterable, Mapping
from typing import Any

from pgw.errors import StartError
from pgw.settings import split_address

FIRST_HANDED_OVER = 3
"""The first descriptor that systemd hands over; more follow it without a gap."""
BIND_SECONDS = 3.0
"""For a taken port to become free: the workers of a killed master notice within a second and then stop."""


def bind(addresses: Iterable[str], environ: Mapping[str, str]) -> list[str]:
    """Bind sockets for addresses, for gunicorn to listen on.

    Gunicorn would try a port that is taken for five seconds and log ten errors. Where it is handed sockets by the
    master that it replaces (SIGUSR2), there is nothing to bind.

    Raises:
        StartError: naming the address that cannot be used.
    """
    if "GUNICORN_FD" in environ:
        return [gunicorn_address(address) for address in addresses]
    return [f"fd://{_bind(address).detach()}" for address in addresses]


def handed_over(environ: Mapping[str, str]) -> int:
    """How many sockets systemd has handed over to this very process.

    Raises:
        StartError: naming the descriptor that cannot be listened on.
    """
    text = environ.get("LISTEN_FDS", "")
    count = int(text) if environ.get("LISTEN_PID") == str(os.getpid()) and text.isdecimal() else 0
    for descriptor in range(FIRST_HANDED_OVER, FIRST_HANDED_OVER + count):
        fault = _fault(descriptor)
        if fault:
            raise StartError(
                f"systemd has handed over descriptor {descriptor} (LISTEN_FDS={text}), {fault}: "
                "give the .socket unit ListenStream= and Accept=no"
            )
    return count


def _fault(descriptor: int) -> str:
    """What keeps a descriptor from being listened on; empty if nothing does."""
    try:
        found = socket.socket(fileno=descriptor)
    except OSError as error:
        return f"which is no socket ({error.strerror})"
    try:
        if found.type != socket.SOCK_STREAM:
            return f"which is not a stream but of type {socket.SocketKind(found.type).name}"
        return "which is a connection" if _is_connected(found) else ""
    finally:
        found.detach()


def _is_connected(found: socket.socket) -> bool:
    try:
        found.getpeername()
    except OSError:
        return False
    return True


def _bind(address: str) -> socket.socket:
    deadline = time.monotonic() + BIND_SECONDS
    while True:
        try:
            return _bound_socket(*split_address(address))
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                reason = error.strerror or str(error)
                raise StartError(f"cannot listen on {address}: {reason} (--web.listen-address)") from error
        time.sleep(0.1)


def _bound_socket(host: str, port: int) -> socket.socket:
    host = host or _any_host()
    # As Go does, of several addresses of a name the first of IPv4 is taken.
    found = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM), key=lambda info: info[0] != socket.AF_INET)
    family, kind, protocol, _, target = found[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if host == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(target)
    except OSError:
        bound.close()
        raise
    return bound


def _any_host() -> str:
    """The host that means all interfaces, those of IPv4 included."""
    return "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104  the default, as the original's


def gunicorn_address(address: str) -> str:
    """An address as gunicorn writes it."""
    host, port = split_address(address)
    host = host or _any_host()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def local_url(name: tuple[Any, ...] | str, scheme: str) -> str:
    """The URL of a listening socket, as it can be asked from this machine."""
    if isinstance(name, str):  # systemd may hand over sockets of other kinds
        return f"unix:{name}"
    host, port = name[:2]
    if host in ("::", "0.0.0.0"):  # noqa: S104
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
