"""TLS as the web configuration file sets it up: certificates, who must show one, versions and ciphers.

In: the section tls_server_config.
Out: an SSLContext that follows the file and the certificates as they change; SettingError for what is no certificate.
Never: falls back to what is not encrypted; asks a person for the password of a key.
Follows: prometheus/exporter-toolkit web/tls_config.go, whose server reads everything again at every handshake.

NOTE(pushgateway): while the file or a certificate is broken, the last ones that were good stay in use; the original
refuses all handshakes.
"""

import logging
import math
import ssl
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pgw.errors import SettingError
from pgw.web_config import CHECK_SECONDS, ConfigFile, Pem, Tls, signature
from pgw.web_config.values import CIPHERS, CURVES

log = logging.getLogger(__name__)

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1, "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2, "TLS13": ssl.TLSVersion.TLSv1_3,
}  # fmt: skip
_OLD = ("TLS10", "TLS11")
_VERIFY = {"VerifyClientCertIfGiven": ssl.CERT_OPTIONAL, "RequireAndVerifyClientCert": ssl.CERT_REQUIRED}
_IN_THE_CLEAR = "Client sent an HTTP request to an HTTPS server.\n"
_REFUSAL = (
    "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    f"Content-Length: {len(_IN_THE_CLEAR)}\r\nConnection: close\r\n\r\n{_IN_THE_CLEAR}"
).encode()


class FreshContext(ssl.SSLContext):
    """The context of a server: each handshake is done by the newest one that could be made."""

    _file: ConfigFile
    _clock: Callable[[], float]
    _newest: ssl.SSLContext
    _seen: object
    _looked_at: float

    @classmethod
    def of(cls, file: ConfigFile, clock: Callable[[], float] = time.monotonic) -> "FreshContext":
        """Make the context of a file whose section tls_server_config is there.

        Raises:
            SettingError: the section or what it names cannot be used.
        """
        context = cls(ssl.PROTOCOL_TLS_SERVER)
        context._file, context._clock, context._looked_at = file, clock, -math.inf
        tls = file.current().tls
        if tls is None:
            raise SettingError(str(file.path), "tls_server_config", "there")
        context._newest, context._seen = make_context(tls), _signatures(tls)
        return context

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401
        """Begin a handshake. This is what uvloop and asyncio call."""
        self._refresh()
        wrapped = self._newest.wrap_bio(incoming, outgoing, *args, **kwargs)
        if isinstance(wrapped, Handshake):
            wrapped.outgoing = outgoing
        return wrapped

    def _refresh(self) -> None:
        now = self._clock()
        if now - self._looked_at < CHECK_SECONDS:
            return
        self._looked_at = now
        try:
            tls = self._file.current().tls
            seen = _signatures(tls) if tls is not None else self._seen
            if tls is not None and seen != self._seen:
                self._seen = seen
                self._newest = make_context(tls)
                log.info("TLS certificates were read again")
        except SettingError as error:
            log.error("%s; the certificates of before stay in use", error)  # noqa: TRY400  the sentence says it all


class Handshake(ssl.SSLObject):
    """One handshake, with two additions: which clients may come in, and an answer for those who do not encrypt."""

    outgoing: ssl.MemoryBIO | None = None
    _refused = False

    def do_handshake(self) -> None:
        """Go on with the handshake.

        Raises:
            SSLWantReadError: it is not complete.
            SSLError: it has failed.
        """
        if self._refused:
            raise ssl.SSLError(ssl.SSL_ERROR_SSL, "an HTTP request in the clear")
        try:
            super().do_handshake()
        except ssl.SSLError as error:
            if error.reason != "HTTP_REQUEST" or self.outgoing is None:
                raise
            self._refuse(self.outgoing)
        allowed = getattr(self.context, "allowed_sans", ())
        if allowed:
            _check_names(self.getpeercert(), allowed)

    def _refuse(self, outgoing: ssl.MemoryBIO) -> None:
        """Answer in the clear: the caller sends what is there when more is to be read, not when all is over."""
        self._refused = True
        outgoing.read()  # the alert of TLS, which the client would take for an answer
        outgoing.write(_REFUSAL)
        raise ssl.SSLWantReadError


class Context(ssl.SSLContext):
    """A context with the names that clients' certificates must have one of."""

    allowed_sans: tuple[str, ...] = ()
    sslobject_class = Handshake


def make_context(tls: Tls) -> ssl.SSLContext:
    """Make the context for a section.

    Raises:
        SettingError: a file cannot be read or does not hold what it should.
    """
    context = Context(ssl.PROTOCOL_TLS_SERVER)
    _set_versions(context, tls)
    _set_ciphers(context, tls)
    if tls.curve:
        context.set_ecdh_curve(CURVES[tls.curve])
    _load_certificate(context, tls)
    if tls.verifies_clients:
        _load_client_ca(context, tls)
        context.verify_mode = _VERIFY[tls.client_auth_type]
    context.allowed_sans = tls.client_allowed_sans
    context.set_alpn_protocols(["http/1.1"])
    return context


def _set_versions(context: ssl.SSLContext, tls: Tls) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the user asked for what is deprecated
        context.maximum_version = _VERSIONS[tls.max_version]
        context.minimum_version = _VERSIONS[tls.min_version]


def _set_ciphers(context: ssl.SSLContext, tls: Tls) -> None:
    """Set the ciphers up to TLS 1.2; those of 1.3 are always all on."""
    chosen = [CIPHERS[name] for name in tls.cipher_suites if name in CIPHERS]
    if tls.cipher_suites and not chosen:
        context.minimum_version = ssl.TLSVersion.TLSv1_3
    level = ":@SECLEVEL=0" if tls.min_version in _OLD else ""  # OpenSSL has the old versions at that level only
    if chosen or level:
        context.set_ciphers((":".join(chosen) or "DEFAULT") + level)
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def _load_certificate(context: ssl.SSLContext, tls: Tls) -> None:
    cert, key = _readable(tls, "cert_file", tls.cert), _readable(tls, "key_file", tls.key)
    try:
        with tempfile.TemporaryDirectory(prefix="pgw-tls-") as directory:  # for this user only
            context.load_cert_chain(
                _as_file(cert, Path(directory, "cert")), _as_file(key, Path(directory, "key")), password=lambda: ""
            )
    except (ssl.SSLError, ValueError) as error:
        names = f"{cert.path or 'cert'} and {key.path or 'key'}"
        raise SettingError(
            tls.place, names, f"a certificate and its key in PEM without a password ({_reason(error)})"
        ) from error


def _load_client_ca(context: ssl.SSLContext, tls: Tls) -> None:
    """Load what the certificates of clients must be signed by; without any, whom this system trusts, as Go has it."""
    ca = _readable(tls, "client_ca_file", tls.client_ca)
    if not ca:
        context.load_default_certs(ssl.Purpose.CLIENT_AUTH)
        return
    try:
        context.load_verify_locations(cadata=ca.path.read_text() if ca.path else ca.text)
    except (ssl.SSLError, ValueError) as error:
        name = str(ca.path or "client_ca")
        raise SettingError(tls.place, name, f"a file of certificates in PEM ({_reason(error)})") from error


def _readable(tls: Tls, field: str, pem: Pem) -> Pem:
    """The same, if it is text or a file that can be read."""
    try:
        if pem.path is not None:
            pem.path.read_bytes()
    except OSError as error:
        raise SettingError(
            f"{tls.place}.{field}", str(pem.path), f"a file that can be read: {error.strerror}"
        ) from error
    return pem


def _as_file(pem: Pem, spare: Path) -> Path:
    if pem.path is not None:
        return pem.path
    spare.write_text(pem.text)
    return spare


def _reason(error: Exception) -> str:
    return getattr(error, "reason", None) or str(error)


def _signatures(tls: Tls) -> object:
    return tls, tuple(map(signature, tls.files))


def _check_names(certificate: Any, allowed: tuple[str, ...]) -> None:  # noqa: ANN401  what getpeercert returns
    """Refuse a certificate that has none of the names; a client without one (if that is allowed) may come in."""
    names = [value for _, value in (certificate or {}).get("subjectAltName", ())]
    if certificate and not set(names) & set(allowed):
        raise ssl.SSLCertVerificationError(f"the certificate of the client has none of the allowed names: {names}")
