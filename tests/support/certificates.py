"""Certificates for tests, made by openssl.

Out: an authority of one's own, and certificates that it has signed.
Never: makes one that anybody else would trust, or that lasts longer than two days.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, NamedTuple

from servers import program_path

if TYPE_CHECKING:
    from pathlib import Path


class Certificate(NamedTuple):
    """The files of a certificate and of its key."""

    cert: Path
    key: Path


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self._directory = directory
        self._own = Certificate(directory / f"{name}.pem", directory / f"{name}.key")
        self._make(self._own, name, "keyUsage=keyCertSign")

    @property
    def cert(self) -> Path:
        """The file by which its certificates are recognised."""
        return self._own.cert

    def issue(self, name: str, *names: str) -> Certificate:
        """Sign a certificate; `names` as in `DNS:localhost`. One of the same name is overwritten."""
        made = Certificate(self._directory / f"{name}.pem", self._directory / f"{name}.key")
        signed = ["-CA", str(self._own.cert), "-CAkey", str(self._own.key)]
        self._make(made, name, f"subjectAltName={','.join(names)}", "basicConstraints=CA:FALSE", signed=signed)
        return made

    @staticmethod
    def _make(made: Certificate, name: str, *extensions: str, signed: list[str] | None = None) -> None:
        openssl = program_path("openssl", "openssl")
        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-days", "2"]
        added = [word for extension in extensions for word in ("-addext", extension)]
        out = ["-keyout", str(made.key), "-out", str(made.cert)]
        command = [openssl, "req", "-x509", *new, *added, *out, *(signed or [])]
        subprocess.run(command, check=True, capture_output=True)
