"""TLS and passwords over real sockets, as curl, Prometheus' client and OpenSSL see them.

In: web configuration files, certificates that openssl makes.  Out: what is answered, and what a broken file leads to.
Never: trusts what the server says of itself where a client can tell.
"""

from __future__ import annotations

import base64
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from textwrap import indent
from typing import TYPE_CHECKING

import bcrypt
import prometheus_client
import pytest
from certificates import Authority
from client import HOST, Client
from prometheus_client.exposition import basic_auth_handler, tls_auth_handler
from servers import Program, Server, pgw_command, unused_port, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALICE = bcrypt.hashpw(b"wonderland", bcrypt.gensalt(10)).decode()
USERS = f"basic_auth_users:\n  alice: {ALICE}\n"
TLS = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
CLIENTS = TLS + "  client_ca_file: authority.pem\n  client_auth_type: "
LOGIN = {"Authorization": "Basic " + base64.b64encode(b"alice:wonderland").decode()}
METRIC = 'a{instance="",job="j"} 1'


class Secured:
    """A gateway with a web configuration file, and all that its clients need."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = unused_port()
        self.url = f"https://{HOST}:{self.port}"
        self.config = directory / "web.yml"
        self.authority = Authority(directory)
        self.authority.issue("server", "DNS:localhost", f"IP:{HOST}")
        self.plain = Client(self.port)
        address, storage = f"--web.listen-address={HOST}:{self.port}", f"--storage.path={directory / 'storage'}"
        words = [address, storage, f"--web.config.file={self.config}"]
        self.program = Program([*pgw_command(), *words], directory)

    def start(self, config: str, workers: int = 1) -> None:
        """Start it, and wait until it serves. Several workers see a change one after the other."""
        self.config.write_text(config)
        self.program.command = [*self.program.command, f"--workers={workers}"]
        self.program.start()
        wait_until(self._has_started, f"it serves, see {self.program.log_path}")

    def _has_started(self) -> bool:
        assert self.program.is_running, self.program.log
        return "push a first metric" in self.program.log

    def curl(self, path: str, *words: str) -> tuple[int, str]:
        """Status and body of a request over TLS; 0 if there was no answer, with the reason."""
        command = ["curl", "-sS", "--max-time", "20", "--cacert", str(self.authority.cert), "-w", "\n%{http_code}"]
        done = subprocess.run([*command, *words, self.url + path], capture_output=True, text=True, check=False)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body or done.stderr

    def client_cert(self, authority: Authority, *names: str) -> list[str]:
        """What curl needs to show a certificate."""
        made = authority.issue("client", *names)
        return ["--cert", str(made.cert), "--key", str(made.key)]

    def handshake(self, context: ssl.SSLContext | None = None) -> tuple[bytes, str, str]:
        """Shake hands; the certificate of the server, the version and the cipher."""
        context = context or ssl.create_default_context(cafile=self.authority.cert)
        with (
            socket.create_connection((HOST, self.port), timeout=20) as bare,
            context.wrap_socket(bare, server_hostname="localhost") as connection,
        ):
            cipher = connection.cipher()
            assert cipher is not None
            return connection.getpeercert(binary_form=True) or b"", connection.version() or "", cipher[0]


@contextmanager
def secured_in(directory: Path) -> Iterator[Secured]:
    """One that is stopped in the end, if it was started."""
    made = Secured(directory)
    try:
        yield made
        if made.program.is_running:
            assert made.program.end() == 0
            assert "Traceback" not in made.program.log
    finally:
        Server(made.program, made.port).destroy()


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Secured]:
    with secured_in(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One with TLS alone, for all tests that leave it as it is."""
    with secured_in(tmp_path_factory.mktemp("encrypted")) as made:
        made.start(TLS)
        yield made


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """One with passwords alone, for all tests that leave it as it is."""
    with secured_in(tmp_path_factory.mktemp("locked")) as made:
        made.start(USERS)
        yield made


def test_pushes_and_scrapes_over_tls_and_the_log_says_so(encrypted: Secured) -> None:
    assert encrypted.curl("/metrics/job/j", "--data-binary", "a 1\n") == (200, "")
    assert METRIC in encrypted.curl("/metrics")[1]
    assert f"listens on {encrypted.url} with" in encrypted.program.log
    assert f"curl --data-binary @- {encrypted.url}/metrics/job/some_job" in encrypted.program.log


def test_one_who_does_not_encrypt_is_told_so(encrypted: Secured) -> None:
    answer = encrypted.plain.get("/metrics")
    assert (answer.status, answer.text) == (400, "Client sent an HTTP request to an HTTPS server.\n")


def test_a_new_certificate_is_used_without_a_restart_and_a_broken_one_is_not(secured: Secured) -> None:
    secured.start(TLS)
    before = secured.handshake()[0]
    made = secured.authority.issue("server", "DNS:localhost", f"IP:{HOST}")
    wait_until(lambda: secured.handshake()[0] != before, "the new certificate is shown")
    after = secured.handshake()[0]
    made.cert.write_text("not a certificate")
    told = "a certificate and its key in PEM"

    def is_told_of() -> bool:
        assert secured.handshake()[0] == after
        return told in secured.program.log

    wait_until(is_told_of, "the log says so")


def test_the_section_in_the_file_may_change_without_a_restart(secured: Secured) -> None:
    secured.start(TLS)
    assert secured.handshake()[1] == "TLSv1.3"
    secured.config.write_text(TLS + "  max_version: TLS12\n")
    wait_until(lambda: secured.handshake()[1] == "TLSv1.2", "the older version is spoken")


def test_certificates_and_keys_may_stand_in_the_file(secured: Secured) -> None:
    made = secured.authority.issue("server", f"IP:{HOST}")
    texts = {"cert": made.cert, "key": made.key, "client_ca": secured.authority.cert}
    inline = "".join(f"  {name}: |\n{indent(path.read_text(), '    ')}" for name, path in texts.items())
    made.key.unlink()
    secured.start("tls_server_config:\n  client_auth_type: VerifyClientCertIfGiven\n" + inline)
    assert secured.curl("/-/ready") == (200, "OK")


@pytest.mark.parametrize(
    ("policy", "statuses"),
    [
        ("RequireAndVerifyClientCert", [0, 200, 0]),
        ("VerifyClientCertIfGiven", [200, 200, 0]),
        ("RequireAndVerifyClientCert\n  client_allowed_sans: [other, me@x]", [0, 0, 0]),
        ("RequireAndVerifyClientCert\n  client_allowed_sans: [other, me]", [0, 200, 0]),
        ("VerifyClientCertIfGiven\n  client_allowed_sans: [10.1.2.3]", [200, 200, 0]),
    ],
)
def test_clients_show_the_certificates_that_the_policy_wants(
    secured: Secured, policy: str, statuses: list[int]
) -> None:
    secured.start(CLIENTS + policy + "\n")
    stranger = Authority(secured.directory, "stranger")
    found = [
        secured.curl("/-/ready", *(secured.client_cert(authority, "DNS:me", "IP:10.1.2.3") if authority else ()))[0]
        for authority in (None, secured.authority, stranger)
    ]
    assert found == statuses


def test_versions_ciphers_and_curves_are_as_the_file_has_them(secured: Secured) -> None:
    chosen = "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
    secured.start(TLS + f"  max_version: TLS12\n  cipher_suites: [{chosen}]\n  curve_preferences: [CurveP384]\n")
    assert secured.handshake()[1:] == ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305")
    other_curve = ssl.create_default_context(cafile=secured.authority.cert)
    other_curve.set_ecdh_curve("prime256v1")
    with pytest.raises(ssl.SSLError):
        secured.handshake(other_curve)
    secured.config.write_text(TLS + "  min_version: TLS13\n")
    wait_until(lambda: secured.handshake()[1] == "TLSv1.3", "only the newest version is spoken")


def test_even_the_oldest_versions_are_spoken_if_the_file_says_so(secured: Secured) -> None:
    secured.start(TLS + "  min_version: TLS10\n  max_version: TLS11\n")
    command = ["openssl", "s_client", "-connect", f"{HOST}:{secured.port}", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"]
    done = subprocess.run(command, input=b"", capture_output=True, check=False)
    assert b"Protocol  : TLSv1.1" in done.stdout or b"TLSv1.1, Cipher is ECDHE" in done.stdout, done


def test_the_official_client_pushes_with_a_password_and_a_certificate(secured: Secured) -> None:
    secured.start(CLIENTS + "RequireAndVerifyClientCert\n" + USERS)
    made = secured.authority.issue("client", "DNS:me")
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("a", "A.", registry=registry).set(1)
    files = {"certfile": str(made.cert), "keyfile": str(made.key), "cafile": str(secured.authority.cert)}

    def handler(url, method, timeout, headers, data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        headers = [*headers, ("Authorization", LOGIN["Authorization"])]
        return tls_auth_handler(url, method, timeout, headers, data, **files)  # type: ignore[arg-type]

    url = secured.url.replace(HOST, "localhost")
    prometheus_client.push_to_gateway(url, "j", registry, handler=handler)
    shown = secured.curl("/metrics", "--cert", files["certfile"], "--key", files["keyfile"], "-u", "alice:wonderland")
    assert METRIC in shown[1]


def test_the_official_client_pushes_with_a_password(locked: Secured) -> None:
    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Gauge("a", "A.", registry=registry).set(1)

    def push(password: str) -> None:
        def handler(**request):  # type: ignore[no-untyped-def]  # noqa: ANN003, ANN202
            return basic_auth_handler(**request, username="alice", password=password)

        prometheus_client.push_to_gateway(f"{HOST}:{locked.port}", "j", registry, handler=handler)

    push("wonderland")
    with pytest.raises(OSError, match="401"):
        push("wrong")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/metrics"), ("GET", "/-/healthy"), ("OPTIONS", "/metrics"), ("GET", "/none"), ("PUT", "/metrics/job/j")],
)
def test_no_path_is_open_without_a_password(locked: Secured, method: str, path: str) -> None:
    answer = locked.plain.request(method, path)
    assert (answer.status, answer.text, answer.headers["www-authenticate"]) == (401, "Unauthorized\n", "Basic")
    assert locked.plain.request(method, path, headers=LOGIN).status != 401


def test_changes_of_the_file_count_within_a_second_or_so_and_a_broken_one_answers_500(secured: Secured) -> None:
    secured.start(USERS)
    assert secured.plain.get("/-/ready", LOGIN).status == 200
    for text, status in [("basic_auth_users: {bob: " + ALICE + "}", 401), ("broken", 500), ("", 200)]:
        secured.config.write_text(text)
        wait_until(lambda: secured.plain.get("/-/ready", LOGIN).status == status, f"it answers {status}")  # noqa: B023
    assert "every request is answered with 500: --web.config.file" in secured.program.log


def test_a_flood_of_wrong_passwords_does_not_keep_pushes_out(secured: Secured) -> None:
    secured.start(USERS, workers=2)
    assert secured.plain.get("/-/ready", LOGIN).status == 200  # so that all workers know alice

    def wrong(number: int) -> int:
        login = base64.b64encode(f"alice:{number}".encode()).decode()
        return secured.plain.get("/-/ready", {"Authorization": f"Basic {login}"}).status

    with ThreadPoolExecutor(64) as pool:
        flood = [pool.submit(wrong, number) for number in range(256)]
        pushes = [secured.plain.post("job/j", f"a {number}\n", LOGIN).status for number in range(100)]
        refused = {future.result() for future in flood}
    assert set(pushes) == {200}
    assert refused <= {401, 503}


def test_the_rate_limit_holds_for_all_workers_together(secured: Secured) -> None:
    secured.start("rate_limit: {interval: 1h, burst: 5}\n", workers=2)
    answers = [secured.plain.get("/-/healthy") for _ in range(12)]
    assert [answer.status for answer in answers] == [200] * 5 + [429] * 7
    assert answers[-1].text == "Too Many Requests\n"


BROKEN = {
    "a field that is unknown": ("tls: yes\n", "line 1: 'tls' is not a field of the file"),
    "no certificate there": (
        TLS.replace("server.pem", "none.pem"),
        "none.pem' is not a file that can be read: No such",
    ),
    "no key there": (TLS.replace("server.key", "none.key"), "none.key' is not a file that can be read: No such file"),
    "no certificate in it": (TLS.replace("server.pem", "junk"), "is not a certificate and its key in PEM"),
    "another's key": (TLS.replace("server.key", "client.key"), "(KEY_VALUES_MISMATCH)"),
    "a key with a password": (TLS.replace("server.key", "locked.key"), "in PEM without a password"),
    "no authority in it": (
        CLIENTS.replace("authority.pem", "junk") + "RequireAndVerifyClientCert\n",
        "junk' is not a file of certificates in PEM",
    ),
    "a bad hash": ("basic_auth_users:\n  alice: wonderland\n", "line 2, basic_auth_users.alice: '***' is not a bcrypt"),
    "no YAML": ("a: b: c\n", "is not YAML: line 1, column 5"),
}


@pytest.mark.parametrize(("config", "sentence"), BROKEN.values(), ids=BROKEN.keys())
def test_a_file_that_is_broken_at_the_start_exits_2_with_the_place(
    secured: Secured, config: str, sentence: str
) -> None:
    made = secured.authority.issue("client", "DNS:me")
    (secured.directory / "junk").write_text("junk")
    encrypt = ["openssl", "pkey", "-in", str(made.key), "-aes256", "-passout", "pass:x"]
    subprocess.run([*encrypt, "-out", str(secured.directory / "locked.key")], check=True, capture_output=True)
    secured.config.write_text(config)
    secured.program.start()
    assert secured.program.wait() == 2
    assert sentence in secured.program.log
    assert secured.program.log.count("\n") == 1
    assert not (secured.directory / "storage").exists()
