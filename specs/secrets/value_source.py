"""Reading a ValueSource: the data of a Value that stands outside, in the environment or in a file."""

# A file of a few bytes is read if it is asked for.
# ruff: noqa: PTH100

import os
import stat
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from heddle.schemas.errors import SecretError
from heddle.schemas.sentences import lower_first
from heddle.specs.files.identity import opened_path
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.model.json_text import decode as decode_json
from heddle.specs.model.value import Value
from heddle.specs.secrets.keyring import VARIABLE, wrong

LARGEST = 1 << 20
"""The most bytes that a ValueSource may hold."""

_OURS = "/proc/"


class ReadResult(msgspec.Struct, frozen=True):
    """The result of reading a ValueSource: its data, or the error that says why there is none.

    `digest` stands for what the file at `path` held; it is empty if it could not be read.
    """

    data: Any = None
    error: SecretError | None = None
    path: str = ""
    digest: bytes = b""

    def stale(self) -> bool:
        """Return whether the file holds something else now; OSError when it cannot be read for a while."""
        try:
            return _digest(_bytes(self.path)) != self.digest
        except (OSError, ValueError) as error:
            if is_passing(error):
                raise
            return self.digest != b""

    def __repr__(self) -> str:
        return f"Reading({self.path!r}, {self.error!r})"


class _NotSetError(ValueError):
    """The environment has no such variable."""


_MISSING = (FileNotFoundError, NotADirectoryError, PermissionError, _NotSetError)
"""The warning that somebody else may well have it."""


def read_source(value: Value, environ: Mapping[str, str]) -> ReadResult:
    """Read where a Value comes from, as it is now. The error names the Value, and holds no data."""
    source = value.source
    if source is None:
        raise RuntimeError("the Value comes from no source")
    path = os.path.abspath(source.file) if source.file else ""
    content, digest = b"", b""
    try:
        content = _bytes(path) if path else _variable(source.env, environ)
        digest = _digest(content)
        return ReadResult(decode_content(content, source.format), None, path, digest)
    except (OSError, ValueError) as error:
        reason = str(getattr(error, "strerror", None) or error)
        missing = isinstance(error, _MISSING)
        seen = path if path and path != source.file else ""
        actual = f'the Value "{value.label}" comes from {source.name}'
        actual += f" ({seen}): " if seen else ": "
        code = "missing-source" if missing else "unreadable-source"
        actual += lower_first(reason)
        return ReadResult(None, wrong(value, "from", code, actual), path, digest)


def _variable(name: str, environ: Mapping[str, str]) -> bytes:
    if name == VARIABLE:
        # A flow must not learn what opens every other secret.
        raise ValueError("keys are given to nobody")
    if name not in environ:
        raise _NotSetError("it is not set")
    return environ[name].encode(errors="surrogateescape")


def _bytes(path: str) -> bytes:
    """Return what a file holds; raise ValueError if it is not a file, or too large."""
    if os.path.realpath(path).startswith(_OURS):
        # There stands the environment of this process, and in it may stand its keys.
        raise ValueError("it tells of processes, and is given to nobody")
    # Opened without waiting: a pipe that nobody writes into would hold up everything.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)
    handle = SPARE.attempt(lambda: os.open(path, flags))
    try:
        status = os.fstat(handle)
        if (opened_path(handle) or "").startswith(_OURS):
            # A link on the way may have been another one a moment ago.
            raise ValueError("it tells of processes, and is given to nobody")
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is not a file")
        if status.st_size > LARGEST:
            raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(LARGEST + 1)
    finally:
        os.close(handle)
    if len(content) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MiB")
    return content


def _digest(content: bytes) -> bytes:
    return blake2b(content, digest_size=16).digest()


def decode_content(content: bytes, form: str) -> Any:
    """Content as data; ValueError says what is wrong with it, and repeats nothing of it.

    `form` is one of heddle.specs.model.value.FORMATS.
    """
    if form == "bytes":
        return content
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError("it is not UTF-8") from None
    if form == "text":
        return text.removesuffix("\n").removesuffix("\r")
    return _json(text) if form == "json" else _yaml(text)


def _json(text: str) -> Any:
    try:
        return decode_json(text)
    except msgspec.DecodeError:
        raise ValueError("it is not JSON") from None


def _yaml(text: str) -> Any:
    from heddle.specs.yaml.fast import parse

    parsed = parse(text)
    if parsed.faults:
        fault = parsed.faults[0]
        raise ValueError(f"it is not YAML (line {fault.line})")
    if len(parsed.documents) != 1:
        raise ValueError(f"it holds {len(parsed.documents)} documents, not one")
    return parsed.documents[0]
