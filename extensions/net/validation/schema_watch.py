"""Schemas in files are read again when the files change, while requests go on."""

import asyncio
from collections.abc import Callable
from typing import Final

from heddle.extensions.extension import Error, Host
from heddle.extensions.net.validation.checks import RequestChecks
from heddle.extensions.net.validation.references import SchemaFiles

EVERY: Final = 0.5
"""Seconds between two looks at the files."""


async def follow_schemas(
    host: Host,
    files: SchemaFiles,
    read: Callable[[SchemaFiles], RequestChecks],
    taken: Callable[[RequestChecks], None],
    rejected: Callable[[str], None],
) -> None:
    """Read the schemas anew each time a file of the last attempt has changed, for as long as this runs.

    `read` runs in a thread, and `taken` gets what it returns. Whatever it raises is reported once: the
    schemas before stay, and `rejected` is called with the reason, and with "" when they can be used
    again. Nothing that a file holds ends it.
    """
    while True:
        await asyncio.sleep(EVERY)
        if not await asyncio.to_thread(files.changed):
            continue
        attempt = files.anew()
        try:
            checks = await asyncio.to_thread(read, attempt)
        except Exception as error:  # a file may hold anything
            attempt.watch(files.paths)
            files = attempt
            host.emit("schema rejected", level="error", error=Error.of(error))
            rejected(str(error) or type(error).__name__)
            continue
        files = attempt
        taken(checks)
        host.emit("schema changed", files=[str(file) for file in files.paths])
        rejected("")
