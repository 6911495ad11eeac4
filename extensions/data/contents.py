"""Contents of files as payloads, and payloads as contents."""

import asyncio
from collections.abc import AsyncIterator
from io import BufferedReader
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.extensions.data.errors import rejected
from heddle.extensions.data.file_io import CHUNK
from heddle.extensions.extension import ByteStream, Payload
from heddle.runtime.flow.materialize import encode_with
from heddle.specs.model.json_text import decode as decode_json

Format: TypeAlias = Literal["text", "bytes", "json", "stream"]


def decoded(data: bytes, form: Format, name: str) -> Payload:
    """Return what a file holds, as a payload."""
    if form == "bytes":
        return data
    try:
        return decode_json(data) if form == "json" else data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise rejected(f"{name} is not UTF-8 text: {error} (read it as bytes)", "text") from error
    except msgspec.DecodeError as error:
        raise rejected(f"{name} is not JSON: {error}", "json") from error


def encoded(data: Payload, form: Format) -> bytes:
    """Return what to write into a file: text and bytes as they are, anything else as JSON."""
    if form != "json":
        if isinstance(data, bytes):
            return data
        if isinstance(data, str):
            return data.encode()
        if form in ("text", "bytes"):
            actual = "null" if data is None else f"a {type(data).__name__}"
            raise rejected(f"found {actual} (expected: text or bytes; or say format: json)")
    try:
        return encode_with(msgspec.json.encode, data)
    except (TypeError, ValueError, OverflowError) as error:
        raise rejected(f"the data cannot be JSON: {error}") from error


class ContentStream:
    """An open file that is read in a thread, piece by piece."""

    def __init__(self, file: BufferedReader, size: int) -> None:
        self._file = file
        self.stream = ByteStream(self._chunks(), size=size, close=self.close)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while data := await asyncio.to_thread(self._file.read, CHUNK):
            yield data

    async def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()


def path_and_data(payload: Payload, path: str | None) -> tuple[str, Any]:
    """Return where to, and what: `{path, data}`, or the data alone if the path is fixed."""
    if path is not None:
        return path, payload
    if not isinstance(payload, dict) or "path" not in payload or "data" not in payload:
        raise rejected("the packet has to be {path, data}, for the node has no path of its own")
    return path_of(payload, None), payload["data"]


def path_of(payload: Payload, path: str | None) -> str:
    """Return which file: the path of the node, or the packet, or what it has as `path`."""
    value = payload.get("path") if isinstance(payload, dict) else payload
    if path is not None:
        return path
    if type(value) is not str or not value:
        raise rejected(
            "the packet has to be a path, or to have one, for the node has none of its own"
        )
    return value
