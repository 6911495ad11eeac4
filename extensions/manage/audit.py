"""The audit log: who changed what, which revision it became, and who was rejected."""

import os
import time
from typing import Any

import msgspec

from heddle.extensions.extension import Host
from heddle.extensions.manage.caller import Caller
from heddle.runtime.managed import managed_by

_MODE = 0o600


class AuditRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One line of it. `time` is in seconds since 1970, `remote` the address of the client."""

    time: float
    user: str
    remote: str
    operation: str
    namespace: str
    status: int
    names: tuple[str, ...] = ()
    revision: int = 0
    reason: str = ""


def note(
    host: Host,
    caller: Caller,
    operation: str,
    *,
    status: int,
    namespace: str = "",
    names: tuple[str, ...] = (),
    revision: int = 0,
    reason: str = "",
) -> None:
    """Tell it as an event, and write it to the audit file where there is one."""
    record = AuditRecord(
        time=time.time(),
        user=caller.name,
        remote=caller.remote,
        operation=operation,
        namespace=namespace,
        status=status,
        names=names,
        revision=revision,
        reason=host.shown(reason),
    )
    data: dict[str, Any] = {
        "user": record.user,
        "remote": record.remote,
        "operation": record.operation,
        "managed": record.namespace,
        "status": record.status,
    }
    if names:
        data["names"] = list(names)
    if revision:
        data["revision"] = revision
    if status < 400:
        host.emit("managed", **data)
    else:
        level = "warning" if status in (401, 403, 421) else "info"
        host.emit("managing rejected", level=level, reason=reason, **data)
    file = managed_by(host).audit
    if file:
        try:
            _append(file, msgspec.json.encode(record) + b"\n")
        except OSError as error:
            host.emit("audit failed", level="error", reason=str(error), file=file)


def _append(file: str, line: bytes) -> None:
    """Append with one write to the end of the file: lines of several processes do not mix."""
    handle = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)
