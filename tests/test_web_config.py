"""The web configuration file: what it says, what is refused and where, and that changes are seen."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pgw.errors import SettingError
from pgw.web_config import ConfigFile, Pem, RateLimit, WebConfig, read_web_config

if TYPE_CHECKING:
    from pathlib import Path

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config:\n  cert_file: c.pem\n  key_file: k.pem\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "web.yml"


def read(path: Path, text: str) -> WebConfig:
    path.write_text(text)
    return read_web_config(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "rate_limit:\n  interval: 0\n", "basic_auth_users:\n"])
def test_a_file_that_says_nothing_changes_nothing(path: Path, text: str) -> None:
    assert read(path, text) == WebConfig()


def test_certificates_are_found_beside_the_file(path: Path) -> None:
    tls = read(path, TLS + "  client_ca_file: /ca.pem\n  client_auth_type: RequireAndVerifyClientCert\n").tls
    assert tls is not None
    assert tls.files == (path.parent / "c.pem", path.parent / "k.pem", type(path)("/ca.pem"))


def test_certificates_may_stand_in_the_file(path: Path) -> None:
    tls = read(path, "tls_server_config:\n  cert: |\n    the cert\n  key: the key\n").tls
    assert tls is not None
    assert (tls.cert, tls.key, tls.files) == (Pem(text="the cert\n"), Pem(text="the key"), ())


@pytest.mark.parametrize(
    ("lines", "field", "value"),
    [
        ("client_auth_type: RequestClientCert", "client_auth_type", "RequestClientCert"),
        ("client_auth_type: VerifyClientCertIfGiven", "client_auth_type", "VerifyClientCertIfGiven"),
        (
            "client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [a, b]",
            "client_allowed_sans",
            ("a", "b"),
        ),
        ("min_version: TLS13", "min_version", "TLS13"),
        ("max_version: TLS12", "max_version", "TLS12"),
        (
            "cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]",
            "cipher_suites",
            ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256"),
        ),
        ("curve_preferences: [X25519]", "curve", "X25519"),
        ("prefer_server_cipher_suites: false", "prefer_server_cipher_suites", False),
        ("min_version:", "min_version", "TLS12"),
    ],
)
def test_each_field_of_tls_is_read(path: Path, lines: str, field: str, value: object) -> None:
    assert getattr(read(path, f"{TLS}  {lines}\n").tls, field) == value


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        (f"basic_auth_users:\n  alice: {HASH}\n  1: {HASH}\n", "users", {"alice": HASH.encode(), "1": HASH.encode()}),
        ("http_server_config:\n  http2: no\n", "http2", False),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 0\n",
            "headers",
            {"X-Frame-Options": "deny", "X-XSS-Protection": "0"},
        ),
        ("rate_limit:\n  interval: 100ms\n  burst: 5\n", "rate_limit", RateLimit(0.1, 5)),
        ("rate_limit: {interval: 1000000000, burst: 1}", "rate_limit", RateLimit(1.0, 1)),
    ],
)
def test_each_other_section_is_read(path: Path, text: str, field: str, value: object) -> None:
    assert getattr(read(path, text), field) == value


REFUSED = {
    "a field that is unknown": ("a: 1", "line 1: 'a' is not a field of the file, which are tls_server_config,"),
    "a field of tls that is unknown": (
        TLS + "  ca: x\n",
        "line 4, tls_server_config: 'ca' is not a field of tls_server_config, which are cert_file,",
    ),
    "a field of http that is unknown": ("http_server_config:\n  http3: true", "line 2, http_server_config: 'http3'"),
    "a field of rate_limit that is unknown": ("rate_limit:\n  every: 1s", "line 2, rate_limit: 'every' is not a field"),
    "a field that comes twice": (TLS + "  key_file: x\n", "line 4, tls_server_config: 'key_file' is not expected: it"),
    "no mapping": ("- a", "line 1: '...' is not a mapping of names to values"),
    "a text for a mapping": ("tls_server_config: yes", "line 1, tls_server_config: 'yes' is not a mapping"),
    "a mapping for a text": ("basic_auth_users:\n  a: {b: c}", "line 2, basic_auth_users.a: '...' is not a text"),
    "no YAML": ("a: b: c", "is not YAML: line 1, column 5: mapping values are not allowed here"),
    "a tab": ("a:\n\tb: c", "is not YAML: line 2, column 1: found character '\\t'"),
    "two documents": ("{}\n---\n{}", "is not YAML: line 2, column 1: but found another document"),
    "no certificate": (
        "tls_server_config:\n  min_version: TLS12",
        "tls_server_config: 'tls_server_config' is not complete: cert_file (or cert) is missing",
    ),
    "no key": ("tls_server_config:\n  cert_file: c", "is not complete: key_file (or key) is missing"),
    "two certificates": (TLS + "  cert: x\n", "line 4, tls_server_config.cert: '...' is not expected beside"),
    "no version": (TLS + "  min_version: TLS1.2\n", "'TLS1.2' is not one of TLS10, TLS11, TLS12, TLS13"),
    "versions that exclude each other": (
        TLS + "  max_version: TLS12\n  min_version: TLS13\n",
        "line 5, tls_server_config.min_version: 'TLS13' is not at most max_version, which is TLS12",
    ),
    "no cipher": (
        TLS + "  cipher_suites: [AES]\n",
        "line 4, tls_server_config.cipher_suites: 'AES' is not one of TLS_",
    ),
    "ciphers that are no list": (TLS + "  cipher_suites: AES\n", "'AES' is not a list"),
    "no curve": (TLS + "  curve_preferences:\n    - P256\n", "line 5, tls_server_config.curve_preferences: 'P256'"),
    "two curves": (TLS + "  curve_preferences: [X25519, CurveP256]\n", "is not a list of one curve"),
    "no policy": (TLS + "  client_auth_type: Always\n", "'Always' is not one of NoClientCert, RequestClientCert,"),
    "a policy that verifies nothing": (
        TLS + "  client_auth_type: RequireAnyClientCert\n",
        "line 4, tls_server_config.client_auth_type: 'RequireAnyClientCert' is not something Python's TLS can do",
    ),
    "clients' authorities without a policy": (
        TLS + "  client_ca_file: ca.pem\n",
        "'NoClientCert' is not one of VerifyClientCertIfGiven, RequireAndVerifyClientCert, without which client_ca",
    ),
    "clients' names without a policy": (
        TLS + "  client_auth_type: RequestClientCert\n  client_allowed_sans: [a]\n",
        "line 4, tls_server_config.client_auth_type: 'RequestClientCert' is not one of VerifyClientCertIfGiven",
    ),
    "no truth": (TLS + "  prefer_server_cipher_suites: 1\n", "'1' is not true or false"),
    "a header of one's own": (
        "http_server_config:\n  headers:\n    X-Own: a",
        "line 3, http_server_config.headers.X-Own: 'X-Own' is not a header that can be set",
    ),
    "a header's value": (
        "http_server_config:\n  headers:\n    X-Frame-Options: never",
        "line 3, http_server_config.headers.X-Frame-Options: 'never' is not one of deny, sameorigin",
    ),
    "a header with a line end": (
        'http_server_config:\n  headers:\n    X-XSS-Protection: "a\\r\\nb"',
        "is not the text of a header",
    ),
    "a password in the clear": (
        "basic_auth_users:\n  a: hidden",
        "line 2, basic_auth_users.a: '***' is not a bcrypt hash such as",
    ),
    "a hash that costs nothing": ("basic_auth_users:\n  a: " + HASH.replace("$10$", "$03$"), "is not a bcrypt hash"),
    "no burst": ("rate_limit:\n  interval: 1s", "line 2, rate_limit.burst: '0' is not a burst of at least 1"),
    "a burst that is no number": ("rate_limit:\n  burst: many", "line 2, rate_limit.burst: 'many' is not a whole"),
    "no interval": ("rate_limit:\n  interval: often", "line 2, rate_limit.interval: 'often' is not a duration"),
}


@pytest.mark.parametrize(("text", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_used_is_refused_with_its_place(path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingError) as caught:
        read(path, text)
    assert str(caught.value).startswith(f"--web.config.file: {path}") or f"'{path}'" in str(caught.value)
    assert message in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda _: None, "No such file or directory"),
        (lambda path: path.mkdir(), "Is a directory"),
        (lambda path: path.write_bytes(b"\xff"), "UTF-8 text: invalid start byte at byte 0"),
    ],
    ids=["missing", "directory", "not text"],
)
def test_a_file_that_cannot_be_read_is_named(path: Path, make: object, reason: str) -> None:
    assert callable(make)
    make(path)
    with pytest.raises(SettingError, match=reason) as caught:
        read_web_config(path)
    assert str(path) in str(caught.value)


@given(text=st.text())
@settings(max_examples=200)
def test_no_text_makes_the_reader_fail_with_anything_but_a_setting_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.yml"
    path.write_text(text, errors="surrogatepass")
    with suppress(SettingError):
        read_web_config(path)


class TestAFileThatChanges:
    """The file as it is now, a second ago at most."""

    def test_it_is_looked_at_once_a_second(self, path: Path) -> None:
        now = [0.0]
        path.write_text("")
        file = ConfigFile(path, lambda: now[0])
        assert file.current() == WebConfig()
        path.write_text("http_server_config: {http2: false}")
        now[0] = 0.9
        assert file.current().http2
        now[0] = 1.0
        assert not file.current().http2

    def test_while_it_is_broken_each_look_says_so_and_then_it_is_read_again(self, path: Path) -> None:
        ticks = iter(range(100))
        path.write_text("a: 1")
        file = ConfigFile(path, lambda: next(ticks))
        with pytest.raises(SettingError, match="'a' is not a field") as first:
            file.current()
        with pytest.raises(SettingError) as second:
            file.current()
        assert first.value is second.value
        path.write_text("rate_limit: {interval: 1s, burst: 1}")
        assert file.current().rate_limit == RateLimit(1.0, 1)

    def test_a_file_of_the_same_size_and_time_in_its_place_is_seen(self, path: Path) -> None:
        ticks = iter(range(100))
        path.write_text("http_server_config: {http2: true} ")
        file = ConfigFile(path, lambda: next(ticks))
        assert file.current().http2
        other = path.with_name("other.yml")
        other.write_text("http_server_config: {http2: false}")
        status = path.stat()
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.rename(path)
        assert not file.current().http2

    def test_a_file_that_has_gone_is_named(self, path: Path) -> None:
        ticks = iter(range(100))
        path.write_text("")
        file = ConfigFile(path, lambda: next(ticks))
        assert file.current() == WebConfig()
        path.unlink()
        with pytest.raises(SettingError, match="No such file"):
            file.current()
