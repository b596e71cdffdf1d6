"""What a web configuration file can say, as frozen values, and the words that it may use.

In: nothing.
Out: WebConfig and its parts.
Never: reads anything.
Follows: prometheus/exporter-toolkit web/tls_config.go and web/handler.go.

NOTE(pushgateway): HTTP/2 is not offered, whatever `http2` says; all clients fall back to HTTP/1.1 within the handshake.
gunicorn 26.2's asgi worker passes on no more than the first frames of a body over HTTP/2: a push could lose its end.
NOTE(pushgateway): with RequestClientCert no certificate is asked for: nobody would look at it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
"""In rising order."""
CLIENT_AUTH_TYPES = (
    "NoClientCert", "RequestClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert",
)  # fmt: skip
VERIFYING = CLIENT_AUTH_TYPES[2:]
UNVERIFIED = ("RequireAnyClientCert", "RequireClientCert")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
"""The headers that may be set, and their values where only some make sense."""
CIPHERS: Mapping[str, str] = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
}
"""Go's names of the suites up to TLS 1.2, and those of OpenSSL."""
CIPHERS_OF_TLS_13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
"""They may be listed, but are always on: neither Go nor Python lets one choose among them."""
CURVES: Mapping[str, str] = {
    "CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519",
}  # fmt: skip


class Pem(NamedTuple):
    """Certificates or a key: a file, or the text itself."""

    path: Path | None = None
    text: str = ""

    def __bool__(self) -> bool:
        return self.path is not None or bool(self.text)


class Tls(NamedTuple):
    """The section tls_server_config; names of Go where nothing else is said."""

    place: str
    """Where the section stands, for messages."""
    cert: Pem
    key: Pem
    client_ca: Pem = Pem()
    client_auth_type: str = CLIENT_AUTH_TYPES[0]
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    curve: str = ""
    prefer_server_cipher_suites: bool = True

    @property
    def verifies_clients(self) -> bool:
        """Whether certificates of clients are verified where they are given."""
        return self.client_auth_type in VERIFYING

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that the section names."""
        return tuple(pem.path for pem in (self.cert, self.key, self.client_ca) if pem.path is not None)


class RateLimit(NamedTuple):
    """A token bucket: a request each `interval` seconds, and `burst` at once."""

    interval: float
    burst: int


class WebConfig(NamedTuple):
    """What the file says; without any of it, plain HTTP for everyone."""

    tls: Tls | None = None
    http2: bool = True
    headers: Mapping[str, str] = {}
    users: Mapping[str, bytes] = {}
    """User to bcrypt hash; without users nobody is asked for a password."""
    rate_limit: RateLimit | None = None
