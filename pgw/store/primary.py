"""Where the server is that holds our keys: the one primary among those that a URL names.

In: a URL of Redis.
Out: its place, as it is known right now, and connections to it that are not open yet.
Never: keeps a place: whoever connects asks anew, for after a failover it is another.
Follows: redis-py for what stands in a URL, TLS and passwords included; https://redis.io/docs/latest/develop/reference/
sentinel-clients/; `CLUSTER SLOTS`.

    redis://[user:password@]host:port/db        rediss:// with TLS, unix:///path/of/socket
    redis+sentinel://[user:password@]host:port,host:port/service/db?sentinel_username=..&sentinel_password=..
    redis+cluster://[user:password@]host:port,host:port

User and password are those of Redis; sentinels that want some have their own. TLS (rediss+...) is for all of them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import SplitResult, parse_qs, urlsplit

from redis.asyncio.connection import AbstractConnection, Connection, SSLConnection, parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import AuthenticationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError

Place = Mapping[str, Any]
"""`host` and `port` of a server; empty where the URL says it all."""

REDIS_PORT, SENTINEL_PORT = 6379, 26379

_PLAIN: Mapping[str, Any] = {
    # RESP 2 is spoken by every server and proxy; retries and time limits are the link's own.
    "protocol": 2,
    "retry": Retry(NoBackoff(), 0),
    "socket_timeout": None,
    "socket_connect_timeout": None,
}


class Primary(Protocol):
    """The server that holds our keys."""

    async def find(self) -> Place:
        """Say where it is now.

        Raises:
            RedisError, OSError: nobody knows.
        """
        ...

    def connection(self, place: Place) -> AbstractConnection:
        """Make a connection to a place; it is not open yet."""
        ...

    async def close(self) -> None:
        """Let go of the connections that others were asked over."""
        ...


def read_url(url: str, *, slot_of: str, timeout: float) -> Primary:
    """Read a URL of any kind.

    Args:
        url: see above.
        slot_of: the hash tag of all keys, which says what server of a cluster holds them.
        timeout: seconds; sentinels and nodes that do not answer are given up so early that all can be asked in it.

    Raises:
        ValueError: the URL is of no known form.
    """
    kinds: dict[str, Callable[[str, str, float], Primary]] = {"sentinel": BehindSentinels, "cluster": InCluster}
    make = kinds.get(urlsplit(url).scheme.partition("+")[2], Fixed)
    try:
        primary = make(url, slot_of, timeout)
        connection = primary.connection({})
        if isinstance(connection, SSLConnection):
            connection.ssl_context.get()  # reads the certificates, which may not be there
    except TypeError as error:  # a word behind the ? that redis-py does not know
        raise ValueError(str(error).rpartition("() ")[2]) from error
    except (RedisError, OSError) as error:
        files = ", ".join(value for name, [value] in parse_qs(urlsplit(url).query).items() if name.startswith("ssl_"))
        raise ValueError(f"{error}: {files}") from error
    return primary


class Fixed:
    """A server that the URL names."""

    def __init__(self, url: str, _slot_of: str, _timeout: float) -> None:
        self._options = _options(url)

    async def find(self) -> Place:
        """See Primary.find."""
        return {}

    def connection(self, place: Place) -> AbstractConnection:
        """See Primary.connection."""
        return _connection(self._options, place)

    async def close(self) -> None:
        """See Primary.close."""


class BehindSentinels:
    """The primary of a service, which sentinels know."""

    def __init__(self, url: str, _slot_of: str, timeout: float) -> None:
        parts = urlsplit(url)
        hosts = _hosts(parts.netloc, SENTINEL_PORT)
        self._service, _, db = parts.path.strip("/").partition("/")
        if not self._service:
            raise ValueError("the name of the service is missing behind the sentinels: /mymaster")
        self._options = _options_of_one(parts, db)
        own = {word: self._options.pop(f"sentinel_{word}", None) for word in ("username", "password")}
        secure = {name: value for name, value in self._options.items() if name.startswith("ssl_")}
        options = {**_PLAIN, **_patience(timeout, hosts), **own, **secure, "ssl": parts.scheme.startswith("rediss")}
        self._sentinel = Sentinel(hosts, sentinel_kwargs=options)  # type: ignore[no-untyped-call]  # redis-py's

    async def find(self) -> Place:
        """See Primary.find."""
        try:
            host, port = await self._sentinel.discover_master(self._service)
        except MasterNotFoundError as error:
            raise RedisConnectionError(str(error)) from error
        return {"host": host, "port": port}

    def connection(self, place: Place) -> AbstractConnection:
        """See Primary.connection."""
        return _connection(self._options, place)

    async def close(self) -> None:
        """See Primary.close."""
        for client in self._sentinel.sentinels:
            await client.aclose()


class InCluster:
    """The node that holds our slot, as any node of the cluster knows."""

    def __init__(self, url: str, slot_of: str, timeout: float) -> None:
        parts = urlsplit(url)
        if parts.path.strip("/") not in ("", "0"):
            raise ValueError("a cluster has no database but 0")
        self._slot = key_slot(slot_of.encode())
        self._options = _options_of_one(parts, "")
        self._seeds = _hosts(parts.netloc, REDIS_PORT)
        self._nodes: list[tuple[str, int]] = []
        """Those that there were when last asked; they may know more once those of the URL have gone."""
        self._timeout = timeout

    async def find(self) -> Place:
        """See Primary.find."""
        reasons = []
        hosts = list(dict.fromkeys(self._nodes + self._seeds))
        for host, port in hosts:
            try:
                return self._place(await self._slots(host, port, _patience(self._timeout, hosts)), host)
            except AuthenticationError:
                raise
            except (RedisError, OSError) as error:
                reasons.append(f"{host}:{port}: {error}")
        raise RedisConnectionError(f"no node of the cluster knows who holds slot {self._slot} ({'; '.join(reasons)})")

    def connection(self, place: Place) -> AbstractConnection:
        """See Primary.connection."""
        return _connection(self._options, place)

    async def close(self) -> None:
        """See Primary.close."""

    async def _slots(self, host: str, port: int, patience: Mapping[str, float]) -> Any:  # noqa: ANN401  a reply
        """`CLUSTER SLOTS`: the first slot, the last, and the servers of each range, the primary first."""
        connection = self.connection({"host": host, "port": port, **patience})
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's
            await connection.send_command("CLUSTER", "SLOTS")
            return await connection.read_response(disable_decoding=True)
        finally:
            await connection.disconnect(nowait=True)

    def _place(self, ranges: Any, asked: str) -> Place:  # noqa: ANN401  likewise
        self._nodes = [_node(server, asked) for _, _, *servers in ranges for server in servers]
        for first, last, primary, *_ in ranges:
            if first <= self._slot <= last:
                host, port = _node(primary, asked)
                return {"host": host, "port": port}
        raise RedisConnectionError(f"nobody holds slot {self._slot}")


def _node(server: Sequence[Any], asked: str) -> tuple[str, int]:
    """Host and port of a server in a reply; one without a name is the one that was asked."""
    return (server[0] or b"").decode() or asked, int(server[1])


def _connection(options: Mapping[str, Any], place: Place) -> AbstractConnection:
    kind = options.get("connection_class", Connection)
    rest = {name: value for name, value in options.items() if name != "connection_class"}
    connection: AbstractConnection = kind(**{**_PLAIN, **rest, **place})
    return connection


def _options(url: str) -> dict[str, Any]:
    path = urlsplit(url).path.strip("/")
    if path and not path.isdecimal() and not url.startswith("unix:"):
        raise ValueError(f"{path!r} is not the number of a database")
    return dict(parse_url(url))


def _options_of_one(parts: SplitResult, db: str) -> dict[str, Any]:
    """What redis-py reads in the URL if it names one host only."""
    user, at, hosts = parts.netloc.rpartition("@")
    scheme = parts.scheme.partition("+")[0]
    return _options(
        parts._replace(scheme=scheme, netloc=f"{user}{at}{hosts.partition(',')[0]}", path=f"/{db}").geturl()
    )


def _hosts(netloc: str, port: int) -> list[tuple[str, int]]:
    hosts = [urlsplit(f"//{host}") for host in netloc.rpartition("@")[2].split(",")]
    if not all(host.hostname for host in hosts):
        raise ValueError("hosts are written with commas between them: a:26379,b:26379")
    return [(str(host.hostname), host.port or port) for host in hosts]


def _patience(timeout: float, hosts: Sequence[object]) -> dict[str, float]:
    """Give up each of those that are asked so early that all can be, and the primary be connected to."""
    seconds = timeout / (len(hosts) + 1)
    return {"socket_timeout": seconds, "socket_connect_timeout": seconds}
