"""A certificate in files is read again when the files change, while the server goes on."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from heddle.extensions.extension import Error, Host
from heddle.extensions.net.http.server import Server
from heddle.extensions.net.http.tls import TLS
from heddle.specs.files.identity import stamp_of
from heddle.specs.files.spare import SPARE

EVERY = 0.5
"""Seconds between two looks. Certificates are swapped by symlink, by rename or in place: looking at
what the path leads to sees them all."""

LONGEST = 5.0
"""Seconds between two attempts, at most, while what is in the files cannot be used."""


def files_of(tls: TLS) -> tuple[Path, ...]:
    """Return the files that a certificate is kept in; none if the spec holds the PEM text itself."""
    given = (tls.cert, tls.key)
    return tuple(
        Path(each) for each in given if isinstance(each, str) and each and "-----BEGIN" not in each
    )


async def follow(
    server: Server, tls: TLS, host: Host, rejected: Callable[[str], None] = lambda _: None
) -> None:
    """Offer what the files hold now, for as long as this runs.

    Files that cannot be used are told once; the certificate that works stays. `rejected` is called
    with why they cannot be used, and with nothing once they can again.
    """
    files = files_of(tls)
    seen = tried = stamp(files)
    pause = EVERY
    if files:
        # Once more: they may have changed since they were read for the server.
        with suppress(ValueError):
            SPARE.attempt(lambda: server.reload_tls(tls))
    while files:
        await asyncio.sleep(pause)
        now = stamp(files)
        if now == seen:
            # Also when they are back to what is offered.
            if tried != seen:
                tried, pause = seen, EVERY
                rejected("")
            continue
        if now != tried:
            pause = EVERY
        try:
            SPARE.attempt(lambda: server.reload_tls(tls))
        except ValueError as error:
            # It is tried again all the same: why they cannot be read may pass without a trace.
            pause = min(pause * 2, LONGEST)
            if now != tried:
                tried = now
                host.emit("certificate rejected", level="error", error=Error.of(error))
                rejected(str(error))
        else:
            seen = tried = now
            pause = EVERY
            rejected("")
            host.emit("certificate changed", file=str(files[0]))


def stamp(files: tuple[Path, ...]) -> tuple[object, ...]:
    """Return what tells one state of the files from another; a file that is not there counts too."""
    return tuple(stamp_of(file) for file in files)


def pem(given: str) -> str:
    """PEM text out of base64, as uniflow writes it; anything else as it is."""
    if "-----BEGIN" in given or not given:
        return given
    try:
        text = base64.b64decode("".join(given.split()), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return given
    return text if "-----BEGIN" in text else given
