"""TLS for a server, with a certificate that can be changed while connections are open."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import ssl


class TLS(msgspec.Struct, frozen=True, kw_only=True):
    """A certificate chain and its key, each as PEM text or bytes, or as the path of a PEM file.

    `key` may be empty when `cert` holds both. `handshake_timeout` is in seconds.
    """

    cert: str | bytes
    key: str | bytes = ""
    password: str | None = None
    handshake_timeout: float = 10.0


class Certificate:
    """The certificate that new connections are offered; a change is for the next handshake."""

    def __init__(self, tls: TLS) -> None:
        """ValueError when the certificate and the key cannot be read or do not belong together."""
        self.tls = tls
        self._current = _context(tls)
        # The context that listens stays; it hands each handshake to the one that is current, so
        # a certificate that cannot be loaded never takes the place of one that works.
        self.listening = _context(tls)
        self.listening.sni_callback = self._choose

    def change(self, tls: TLS | None = None) -> None:
        """Offer another certificate, or read the same files again; ValueError changes nothing."""
        tls = tls or self.tls
        self._current = _context(tls)
        self.tls = tls

    def _choose(self, connection: Any, _name: str | None, _listening: Any) -> None:
        connection.context = self._current


def _context(tls: TLS) -> "ssl.SSLContext":
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        with tempfile.TemporaryDirectory(prefix="heddle-tls-") as folder:
            cert = _file(tls.cert, Path(folder) / "cert.pem")
            key = _file(tls.key, Path(folder) / "key.pem") if tls.key else None
            # A key that wants a password must not ask for it at the terminal.
            context.load_cert_chain(cert, key, password=tls.password or "")
    except (OSError, ValueError) as error:
        raise ValueError(f"tls: the certificate and its key cannot be used: {error}") from error
    return context


def _file(given: str | bytes, place: Path) -> Path:
    """Return the path itself, or a file of ours that holds the PEM text; the folder is for our eyes only."""
    data = given.encode() if isinstance(given, str) else given
    if b"-----BEGIN" not in data:
        if isinstance(given, bytes):
            raise ValueError("found bytes that are not PEM text")
        if not Path(given).is_file():
            raise ValueError(f'there is no file "{given}", and it is not PEM text')
        return Path(given)
    place.write_bytes(data)
    return place
