"""run-store: names the database in which durable runs are recorded."""

import os
from typing import Annotated, Any, Final, Literal

from heddle.extensions.extension import (
    Build,
    FieldError,
    Fields,
    Host,
    Interval,
    Kind,
    Node,
    Schema,
    about,
)
from heddle.extensions.tasks.run_stores.contract import RunStoreError
from heddle.extensions.tasks.run_stores.opener import make_run_store, path_of
from heddle.extensions.tasks.run_stores.run_service import OpenRetry, RunService, service_of
from heddle.schemas.exclusive import ExclusiveUse

ADJUSTABLE: Final = ("lease", "heartbeat", "sync", "losses", "keep")
"""The options that an open RunStore can change; with another `url` it is another RunStore."""


class RunStoreFields(Fields):
    """The fields of a `run-store`."""

    url: Annotated[
        str,
        about(
            "Where it is: the path of a SQLite file, a folder, in which the file is `runs.sqlite`, or "
            "`memory://`.",
            examples=["runs.sqlite", "memory://"],
        ),
    ]
    keep: Annotated[
        Interval | None,
        about("How long settled runs are kept; without it, until somebody prunes them."),
    ] = None
    sync: Annotated[
        Literal["normal", "full"],
        about(
            "`normal`: what is recorded survives the end of the program, however it ends. `full`: it "
            "survives a loss of power, too, and each commit waits for the disk."
        ),
    ] = "normal"
    lease: Annotated[
        Interval,
        about("How long a run belongs to its worker unless the worker renews that."),
    ] = Interval("30s")
    heartbeat: Annotated[
        Interval | None,
        about("How often a worker renews its leases; without it, three times in a lease."),
    ] = None

    losses: Annotated[
        int,
        about(
            "How many times the worker of a task may die while the task is running: then the task fails "
            "with the code `crashed`, whatever its `retry` says.",
            ge=1,
        ),
    ] = 3

    def __post_init__(self) -> None:
        try:
            make_run_store(self.url)
        except RunStoreError as error:
            raise FieldError(f'"{self.url}": {error}', path=("url",)) from None
        if self.heartbeat is not None and float(self.heartbeat) >= float(self.lease):
            raise FieldError(
                f"a heartbeat of {self.heartbeat} in a lease of {self.lease}",
                expected="a heartbeat shorter than the lease",
                path=("heartbeat",),
            )


class RunStoreNode(Node):
    """Keeps the RunStore open as long as it is active. `options` say how it is opened."""

    def __init__(self, fields: RunStoreFields) -> None:
        self.options: dict[str, Any] = {
            "address": fields.url,
            "lease": float(fields.lease),
            "heartbeat": None if fields.heartbeat is None else float(fields.heartbeat),
            "sync": fields.sync,
            "losses": fields.losses,
            "keep": None if fields.keep is None else float(fields.keep),
        }
        self._host: Host | None = None
        self._service: RunService | None = None
        self._opening: OpenRetry | None = None

    async def open(self, host: Host) -> None:
        """Open the RunStore; if that fails, the node is degraded, and runs that need it fail."""
        self._host = host
        service = self._service = service_of(host, **self.options)
        self._opening = OpenRetry(service.open, host.emit)
        await self._opening.open()

    async def act(self) -> None:
        """Have its settings in force: its service may be that of the node before this one."""
        if self._service is not None:
            await self._service.adjust(**{key: self.options[key] for key in ADJUSTABLE})

    async def close(self) -> None:
        """Let go of it."""
        if self._opening is not None:
            await self._opening.close()
        service, self._service = self._service, None
        if service is not None and self._host is not None:
            await service.leave(self._host)

    def degraded(self) -> str:
        """Return what keeps it from recording runs."""
        return self._service.degraded() if self._service is not None else ""

    def snapshot(self) -> dict[str, Any]:
        """Return where it is, and how many runs are worked on here."""
        active = 0 if self._service is None else len(self._service.runs.active)
        return {"url": self.options["address"], "runs": active}


def compile_run_store(fields: RunStoreFields, build: Build) -> Node:
    """Build the node; the RunStore is opened when it becomes active."""
    del build
    return RunStoreNode(fields)


def _use(fields: RunStoreFields) -> list[ExclusiveUse]:
    """Return the claim to a RunStore: whoever has the same one has the same settings."""
    path = path_of(fields.url)
    where = os.path.abspath(path) if path else "memory://"  # noqa: PTH100 - a path is text here
    settings = {**RunStoreNode(fields).options, "address": ""}
    return [
        ExclusiveUse(
            path=("url",),
            resource=f"run-store {where}",
            parts=frozenset({("run-store", where)}),
            shown=f"the run store {fields.url}, with other settings,",
            hint="Give both the same settings, or name one run-store in durable of both workflows.",
            terms=repr(settings),
        )
    ]


RUN_STORE: Kind[RunStoreFields] = Kind(
    Schema(
        kind="run-store",
        fields=RunStoreFields,
        summary="Names the database in which durable runs are recorded.",
        category="tasks",
        ins=(),
        outs=(),
        example="""\
- kind: run-store
  name: main
  url: memory://
  keep: 90d
- kind: workflow
  name: greet
  durable: main
  inputs: {who: {type: string}}
  tasks:
    - {name: text, inputs: {who: in.who}, do: {kind: snippet, language: cel, code: "'Hello ' + self.who"}}
""",
        exclusive=_use,
        details="""\
A workflow needs no `run-store`: without one, durable runs are in `runs.sqlite` in the
[state folder](../settings.md#the-state-folder), or in what `[runs] store` of `heddle.toml` names. The only
`run-store` of a namespace is the one of all its workflows; if there are several, `durable` names one.

The database of an application may be its RunStore. Then what `sql` nodes do in there is recorded in the
same transaction as the end of the attempt: it happens exactly once, also if the program is killed. The
tables of Heddle begin with `heddle_` there.

A file that a newer Heddle has made is not touched. If the disk is full, what is recorded stays, and runs
wait; the node is `Degraded` with `run store full`.

Two `run-store` of one namespace may have the same `url` only if all of their settings are the same.
""",
    ),
    compile_run_store,
)
