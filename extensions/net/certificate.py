"""A certificate in files is read again when the files change, while the server goes on."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from heddle.extensions.extension import Error, Host
from heddle.extensions.net.http.server import Server
from heddle.extensions.net.http.tls import TLS

EVERY = 0.5
"""Seconds between two looks. Certificates are swapped by symlink, by rename or in place: looking at
what the path leads to sees them all."""


def files_of(tls: TLS) -> tuple[Path, ...]:
    """The files that a certificate is kept in; none where the spec holds the PEM text itself."""
    given = (tls.cert, tls.key)
    return tuple(
        Path(one) for one in given if isinstance(one, str) and one and "-----BEGIN" not in one
    )


async def follow(
    server: Server, tls: TLS, host: Host, refused: Callable[[str], None] = lambda _: None
) -> None:
    """Offer what the files hold now, for as long as this runs.

    Files that cannot be used are told once; the certificate that works stays. `refused` is called
    with why they cannot be used, and with nothing once they can again.
    """
    files = files_of(tls)
    seen = stamp(files)
    while files:
        await asyncio.sleep(EVERY)
        now = stamp(files)
        if now == seen:
            continue
        seen = now
        try:
            server.reload_tls(tls)
        except ValueError as error:
            host.tell("certificate refused", level="error", error=Error.of(error))
            refused(str(error))
        else:
            refused("")
            host.tell("certificate changed", file=str(files[0]))


def stamp(files: tuple[Path, ...]) -> tuple[object, ...]:
    """What tells one state of the files from another; a file that is not there counts too."""
    found: list[object] = []
    for file in files:
        try:
            state = file.stat()
        except OSError:
            found.append(None)
        else:
            found.append((state.st_mtime_ns, state.st_ino, state.st_size))
    return tuple(found)


def pem(given: str) -> str:
    """PEM text out of base64, as uniflow writes it; anything else as it is."""
    if "-----BEGIN" in given or not given:
        return given
    try:
        text = base64.b64decode("".join(given.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return given
    return text if "-----BEGIN" in text else given
