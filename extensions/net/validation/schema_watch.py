"""Schemas in files are read again when the files change, while requests go on."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from heddle.extensions.extension import Error, Host
from heddle.specs.files.identity import stamp_of

EVERY: Final = 0.5
"""Seconds between two looks at the files."""


async def follow_schemas(
    host: Host,
    files: Callable[[], Sequence[Path]],
    read: Callable[[], None],
    rejected: Callable[[str], None],
) -> None:
    """Call `read` each time one of the files has changed, for as long as this runs.

    Schemas that cannot be used are told once, and those before them stay; `rejected` is called with why, and
    with "" once they can be used again.
    """
    seen = [stamp_of(file) for file in files()]
    while True:
        await asyncio.sleep(EVERY)
        now = [stamp_of(file) for file in files()]
        if now == seen:
            continue
        try:
            read()
        except ValueError as error:
            seen = now
            host.emit("schema rejected", level="error", error=Error.of(error))
            rejected(str(error))
            continue
        # What is read now may name other files.
        seen = [stamp_of(file) for file in files()]
        host.emit("schema changed", files=[str(file) for file in files()])
        rejected("")
