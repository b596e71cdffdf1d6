"""A web configuration file -> WebConfig.

In: the path of a YAML file.
Out: WebConfig; SettingError that names the line of the first thing that cannot be used.
Never: passes over what it does not know; opens certificates (the server does, see server/tls.py).
Follows: prometheus/exporter-toolkit docs/web-configuration.md and web/tls_config.go.

NOTE(pushgateway): what the original takes without effect is refused with a sentence: `cert` beside `cert_file` (and so
on), several curves, a rate limit that lets nothing through, client certificates that nobody verifies.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import yaml

from pgw.errors import SettingError
from pgw.web_config.places import File, Place
from pgw.web_config.values import (
    CIPHERS,
    CIPHERS_OF_TLS_13,
    CLIENT_AUTH_TYPES,
    CURVES,
    HEADERS,
    UNVERIFIED,
    VERIFYING,
    VERSIONS,
    Pem,
    RateLimit,
    Tls,
    WebConfig,
)

FLAG = "--web.config.file"

_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[./A-Za-z0-9]{53}")


def read_web_config(path: Path) -> WebConfig:
    """Read the file.

    Raises:
        SettingError: it cannot be read, is no YAML, or says what is not known.
    """
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingError(FLAG, str(path), f"a file that can be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(FLAG, str(path), f"UTF-8 text: {error.reason} at byte {error.start}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SettingError(FLAG, str(path), f"YAML: {_problem(error)}") from error
    return _web_config(Place(root, File(f"{FLAG}: {path}", path.parent)))


def _problem(error: Exception) -> str:
    """What is wrong with a YAML text and where, in one line."""
    mark = getattr(error, "problem_mark", None)
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
    return where + (getattr(error, "problem", None) or " ".join(str(error).split()) or type(error).__name__)


def _web_config(root: Place) -> WebConfig:
    sections = root.known_fields("tls_server_config", "http_server_config", "basic_auth_users", "rate_limit")
    http = sections["http_server_config"].known_fields("http2", "headers")
    return WebConfig(
        tls=_tls(sections["tls_server_config"]),
        http2=http["http2"].truth(default=True),
        headers=dict(_header(name, place) for name, place in http["headers"].fields().items()),
        users={user: _hash(place) for user, place in sections["basic_auth_users"].fields().items()},
        rate_limit=_rate_limit(sections["rate_limit"]),
    )


def _header(name: str, place: Place) -> tuple[str, str]:
    if name not in HEADERS:
        raise place.refused(name, f"a header that can be set, which are {', '.join(HEADERS)}")
    value = place.word(*HEADERS[name]) if HEADERS[name] else place.string()
    if not (value.isascii() and value.isprintable()):
        raise place.refused(value, "the text of a header: printable ASCII")
    return name, value


def _hash(place: Place) -> bytes:
    value = place.string()
    if _BCRYPT.fullmatch(value) is None:  # it is not shown: it may be the password
        raise place.refused("***", "a bcrypt hash such as $2y$10$... (htpasswd -nBC 10 USER makes one)")
    return value.encode()


def _rate_limit(section: Place) -> RateLimit | None:
    fields = section.known_fields("interval", "burst")
    interval, burst = fields["interval"].seconds(), fields["burst"].count()
    if interval == 0:
        return None
    if burst == 0:
        raise fields["burst"].refused("0", "a burst of at least 1: without one every request is refused")
    return RateLimit(interval, burst)


def _tls(section: Place) -> Tls | None:
    fields = section.known_fields(
        "cert_file", "key_file", "cert", "key", "client_ca_file", "client_ca", "client_auth_type",
        "client_allowed_sans", "min_version", "max_version", "cipher_suites", "curve_preferences",
        "prefer_server_cipher_suites",
    )  # fmt: skip
    if not section.fields():
        return None
    tls = Tls(
        place=str(section),
        cert=_pem(fields["cert"], fields["cert_file"]),
        key=_pem(fields["key"], fields["key_file"]),
        client_ca=_pem(fields["client_ca"], fields["client_ca_file"]),
        client_auth_type=_client_auth_type(fields["client_auth_type"]),
        client_allowed_sans=tuple(place.string() for place in fields["client_allowed_sans"].items()),
        min_version=fields["min_version"].word(*VERSIONS, default="TLS12"),
        max_version=fields["max_version"].word(*VERSIONS, default="TLS13"),
        cipher_suites=fields["cipher_suites"].words(*CIPHERS, *CIPHERS_OF_TLS_13),
        curve=_curve(fields["curve_preferences"]),
        prefer_server_cipher_suites=fields["prefer_server_cipher_suites"].truth(default=True),
    )
    _check_tls(tls, section, fields)
    return tls


def _pem(inline: Place, file: Place) -> Pem:
    path, text = file.path(), inline.string()
    if path and text:
        raise inline.refused("...", f"expected beside {file.name}: give one of them")
    return Pem(path, text)


def _client_auth_type(place: Place) -> str:
    if place.string() in UNVERIFIED:
        raise place.refused(
            place.string(),
            "something Python's TLS can do (a certificate that nobody verifies is no protection): "
            "write RequireAndVerifyClientCert",
        )
    return place.word(*CLIENT_AUTH_TYPES, default=CLIENT_AUTH_TYPES[0])


def _curve(place: Place) -> str:
    curves = place.words(*CURVES)
    if len(curves) > 1:
        raise place.refused(", ".join(curves), "a list of one curve: Python's TLS takes one, or all without a list")
    return "".join(curves)


def _check_tls(tls: Tls, section: Place, fields: Mapping[str, Place]) -> None:
    """Refuse what contradicts itself."""
    if not tls.cert:
        raise section.refused(section.name, "complete: cert_file (or cert) is missing")
    if not tls.key:
        raise section.refused(section.name, "complete: key_file (or key) is missing")
    for name in ("client_ca_file", "client_ca", "client_allowed_sans"):
        if not fields[name].is_null and not tls.verifies_clients:
            expected = f"one of {', '.join(VERIFYING)}, without which {name} protects nothing"
            raise fields["client_auth_type"].refused(tls.client_auth_type, expected)
    if VERSIONS.index(tls.min_version) > VERSIONS.index(tls.max_version):
        raise fields["min_version"].refused(tls.min_version, f"at most max_version, which is {tls.max_version}")
