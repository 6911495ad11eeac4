"""The contract of every RunStore: subclass RunStoreContract in a test module, and say how one is made.

    class TestMyRunStore(RunStoreContract):
        def make(self, place, **options):
            return MyRunStore(place / "runs", **options)

A kill is tried between any two statements: `kill_points` runs a story in a process of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from heddle.extensions.extension import Error
from heddle.extensions.tasks.run_stores.contract import (
    EndedAttempt,
    HistoryRow,
    NewRun,
    RunDefinition,
    RunRecord,
    RunStore,
    RunTurn,
)
from heddle.extensions.tasks.run_stores.durable_journal import DurableJournal
from heddle.extensions.tasks.run_stores.payloads import content_hash, decode_payload, encode_payload
from heddle.extensions.tasks.scheduler.journal import FencedError
from heddle.extensions.tasks.status import AttemptStatus, RunStatus, TaskStatus
from heddle.specs.model.names import new_id

COMPLETED, FAILED = AttemptStatus.COMPLETED, AttemptStatus.FAILED
SPECS = b'[{"kind":"workflow","name":"report","tasks":[{"name":"load"},{"name":"sum"}]}]'


def new_run(**more: Any) -> NewRun:
    """Return a run that is to begin."""
    fields: dict[str, Any] = {
        "id": new_id(),
        "namespace": "default",
        "workflow": "report",
        "input": {"day": "2026-11-30"},
        "definition": RunDefinition(content_hash(SPECS), SPECS),
        **more,
    }
    return NewRun(**fields)


async def commit(journal: DurableJournal) -> None:
    """Commit a turn and wait for it."""
    waits = journal.commit()
    if waits is not None:
        await waits


async def record(store: RunStore, turn: RunTurn) -> None:
    """Record a turn and wait for it."""
    waits = store.commit(turn)
    if waits is not None:
        await waits


async def numbers(store: RunStore, run: UUID) -> list[int]:
    """Return the numbers of the transitions of a run."""
    return [each.seq for each in await store.transitions(run)]


class RunStoreContract:
    """The contract. Each test gets an empty place."""

    def make(self, place: Path, **options: Any) -> RunStore:
        """Return a RunStore at this place, not open; two at one place keep the same runs."""
        raise NotImplementedError

    async def _story(
        self, place: Path, story: Callable[[RunStore], Awaitable[None]], **options: Any
    ) -> None:
        store = self.make(place, **options)
        await store.open()
        try:
            await story(store)
        finally:
            await store.close()

    def _run(
        self, place: Path, story: Callable[[RunStore], Awaitable[None]], **options: Any
    ) -> None:
        asyncio.run(self._story(place, story, **options))

    async def _begin(self, store: RunStore, **more: Any) -> tuple[RunRecord, DurableJournal]:
        run, is_new = await store.begin(new_run(**more), time.time())
        assert is_new
        return run, DurableJournal(store, run)

    # -- runs --------------------------------------------------------------------------------------

    def test_a_run_comes_back_as_it_began(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            given = {"day": "2026-11-30", "raw": b"\x00\xff", "big": 2**80, "none": None}
            run, _ = await self._begin(
                store, input=given, tags={"team": "sales"}, creator="ada", code=("shop.tasks",)
            )
            again = await store.get(run.id)
            assert again == run
            assert run.input == given
            assert (run.status, run.epoch, run.owner) == (RunStatus.RUNNING, 1, store.owner)
            assert (run.tags, run.creator, run.code) == ({"team": "sales"}, "ada", ["shop.tasks"])
            assert run.definition is not None
            definition = await store.definition(run.definition)
            assert definition is not None
            assert definition.specs == SPECS
            assert await store.get(new_id()) is None

        self._run(tmp_path, story)

    def test_the_second_run_with_a_key_is_the_first(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            runs = [
                await store.begin(new_run(idempotency_key="a", input={"n": n}), time.time())
                for n in range(3)
            ]
            assert [is_new for _, is_new in runs] == [True, False, False]
            assert len({run.id for run, _ in runs}) == 1
            assert runs[2][0].input == {"n": 0}
            other, is_new = await store.begin(
                new_run(idempotency_key="a", workflow="another"), time.time()
            )
            assert is_new
            assert other.id != runs[0][0].id

        self._run(tmp_path, story)

    def test_runs_are_listed_newest_first_and_filtered(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            at = time.time()
            made = [
                (await store.begin(new_run(workflow=f"w{place % 2}"), at + place))[0]
                for place in range(6)
            ]
            assert [each.id for each in await store.find()] == [each.id for each in made[::-1]]
            assert len(await store.find(workflow="w1")) == 3
            assert len(await store.find(since=at + 4)) == 2
            assert len(await store.find(limit=1)) == 1
            assert await store.find(namespace="another") == []
            assert await store.find(status=[RunStatus.FAILED]) == []
            text = str(made[0].id)[-8:]
            assert await store.matching(text) == [made[0].id]

        self._run(tmp_path, story)

    # -- turns -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("many", [3, 59])
    def test_attempts_and_outputs_come_back(self, tmp_path: Path, many: int) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            outputs = {f"t{place}": [place, {"b": b"\x00" * place}] for place in range(many)}
            for task in outputs:
                journal.begin(task, 1)
            await commit(journal)
            assert {each.status for each in await store.attempts(run.id)} == {"running"}
            for task, output in outputs.items():
                journal.end(task, 1, COMPLETED, output)
            await commit(journal)
            attempts = await store.attempts(run.id)
            assert {each.task: each.output for each in attempts} == outputs
            assert {each.status for each in attempts} == {"completed"}
            assert await numbers(store, run.id) == list(range(1, 2 * many + 2))

        self._run(tmp_path, story)

    def test_a_chain_has_no_gap_in_its_numbers(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            journal.begin("t0", 1)
            await commit(journal)
            for place in range(600):
                journal.end(f"t{place}", 1, COMPLETED, place)
                if place == 7:
                    journal.settle("other", TaskStatus.SKIPPED, detail={"reason": "no input"})
                if place in (5, 300):
                    assert await numbers(store, run.id) == list(range(1, journal.seq + 1))
                if place < 599:
                    journal.begin(f"t{place + 1}", 1)
                await commit(journal)
            journal.finish(RunStatus.COMPLETED, {"last": 599})
            await commit(journal)
            events = await store.transitions(run.id)
            assert [each.seq for each in events] == list(range(1, len(events) + 1))
            assert [each.event for each in events[:3]] == ["running", "running", "completed"]
            assert events[-1].event == "completed"
            assert events[-1].task == ""
            assert [each.task for each in events if each.event == "skipped"] == ["other"]
            after = await store.transitions(run.id, after=len(events) - 2)
            assert list(after) == list(events[-2:])
            attempts = await store.attempts(run.id)
            assert [each.output for each in attempts] == list(range(600))
            ended = await store.get(run.id)
            assert ended is not None
            assert (ended.status, ended.output) == (RunStatus.COMPLETED, {"last": 599})
            assert ended.owner == ""

        self._run(tmp_path, story)

    def test_errors_retries_and_large_outputs_come_back(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            for task in ("a", "b", "c"):
                journal.begin(task, 1)
            await commit(journal)
            large = "x" * 100_000
            error = Error("no answer", code="timeout", symbol="report/a", data={"after": 3})
            journal.end("a", 1, FAILED, error, due=5.0)
            journal.end("b", 1, COMPLETED, large)
            journal.end("c", 1, COMPLETED, large, by="d")
            await commit(journal)
            failed, first, other = sorted(await store.attempts(run.id), key=lambda each: each.task)
            assert failed.error == error
            assert failed.error is not None
            assert failed.error.symbol == "report/a"
            assert failed.due == 5.0
            assert first.output == other.output == large
            assert other.by == "d"
            assert [each.event for each in await store.transitions(run.id)][-3:] == [
                "retrying",
                "completed",
                "completed",
            ]

        self._run(tmp_path, story)

    def test_a_turn_of_a_stale_epoch_writes_nothing(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            journal.begin("a", 1)
            await commit(journal)
            before = await numbers(store, run.id)
            stale = DurableJournal(store, msgspec.structs.replace(run, epoch=run.epoch + 1))
            stale.begin("b", 1)
            with pytest.raises(FencedError):
                await commit(stale)
            for change in _turns(run, epoch=run.epoch + 1):
                with pytest.raises(FencedError):
                    await record(store, change)
            assert await numbers(store, run.id) == before
            assert [each.status for each in await store.attempts(run.id)] == ["running"]
            assert await store.logs(run.id) == []

        self._run(tmp_path, story)

    # -- claims ------------------------------------------------------------------------------------

    def test_a_run_that_has_an_owner_is_not_given(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            journal.begin("a", 1)
            await commit(journal)
            assert await store.claim(run.id, time.time()) is None
            late = time.time() + store.lease + 1
            claim = await store.claim(run.id, late)
            assert claim is not None
            assert claim.run.epoch == run.epoch + 1
            assert [each.status for each in claim.attempts] == ["lost"]
            assert await numbers(store, run.id) == list(range(1, claim.run.seq + 1))
            journal.end("a", 1, COMPLETED, 1)
            with pytest.raises(FencedError):
                await commit(journal)

        self._run(tmp_path, story)

    def test_a_renewed_lease_keeps_a_run(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, _ = await self._begin(store)
            late = time.time() + store.lease + 1
            store.renew(late)
            assert await store.claim(run.id, late) is None
            assert await store.claim(run.id, late, take=True) is not None

        self._run(tmp_path, story)

    def test_only_a_failed_run_is_given_again(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            for status in (RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED):
                run, journal = await self._begin(store)
                journal.finish(status, Error("no") if status is RunStatus.FAILED else 1)
                await commit(journal)
                assert await store.claim(run.id, time.time(), take=True) is None
                again = await store.claim(run.id, time.time(), again=True)
                assert (again is not None) == (status is RunStatus.FAILED)

        self._run(tmp_path, story)

    def test_a_suspended_run_waits_for_its_time(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            at = time.time()
            run, journal = await self._begin(store)
            journal.suspend("gate", wake=at + 100)
            await commit(journal)
            assert await store.claimable("default", at) == []
            assert [each.id for each in await store.claimable("default", at + 101)] == [run.id]
            assert await store.claimable("another", at + 101) == []
            await store.request(run.id, "retry", at, task="a", actor="ada")
            (due,) = await store.claimable("default", at + 1)
            claim = await store.claim(due.id, at + 1)
            assert claim is not None
            (request,) = claim.requests
            assert (request.verb, request.task, request.actor) == ("retry", "a", "ada")
            assert await store.requests() == [request]

        self._run(tmp_path, story)

    # -- the rest ----------------------------------------------------------------------------------

    def test_logs_are_kept_by_attempt(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            run, journal = await self._begin(store)
            journal.log("a", 1, "one\n")
            journal.log("a", 1, "one\ntwo\n")
            journal.log("b", 2, "three\n")
            await commit(journal)
            assert await store.logs(run.id, "a") == [("a", 1, "one\ntwo\n")]
            assert len(await store.logs(run.id)) == 2
            assert await store.logs(run.id, "b", 1) == []

        self._run(tmp_path, story)

    def test_prune_removes_what_only_settled_runs_needed(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            kept, _ = await self._begin(store)
            gone, journal = await self._begin(
                store, definition=RunDefinition(content_hash(b"[]"), b"[]"), input="y" * 100_000
            )
            journal.begin("a", 1)
            await commit(journal)
            journal.end("a", 1, COMPLETED, "x" * 100_000)
            journal.finish(RunStatus.COMPLETED, 1)
            await commit(journal)
            assert await store.prune(time.time() - 60) == 0
            assert await store.prune(time.time() + 60, namespace="another") == 0
            assert await store.prune(time.time() + 60) == 1
            assert await store.get(gone.id) is None
            assert await store.attempts(gone.id) == []
            assert await store.definition(content_hash(b"[]")) is None
            assert await store.get(kept.id) == kept
            assert await store.definition(content_hash(SPECS)) is not None

        self._run(tmp_path, story)

    def test_ticks_only_grow(self, tmp_path: Path) -> None:
        async def story(store: RunStore) -> None:
            assert await store.tick("t") is None
            assert await store.tick("t", 5.0) == 5.0
            assert await store.tick("t", 3.0) == 5.0
            assert await store.tick("t") == 5.0

        self._run(tmp_path, story)

    def test_payloads_come_back_equal(self, tmp_path: Path) -> None:
        del tmp_path
        for payload in (
            None,
            True,
            -1,
            2**64,
            -(2**70),
            1.5,
            "é\0",
            b"\xff",
            [1, [2]],
            {1: {"a": b""}},
        ):
            assert decode_payload(encode_payload(payload)) == payload


def _turns(run: RunRecord, *, epoch: int) -> Sequence[RunTurn]:
    """Return turns of every shape for a run, with this epoch."""
    simple = RunTurn(run.id, epoch, run.seq)
    simple.ended = [EndedAttempt("a", 1, "completed", None, None, 1.0, output=b"\x01")]
    simple.begun = [("b", 1)]
    fan = RunTurn(run.id, epoch, run.seq)
    fan.begun = [(f"t{place}", 1) for place in range(9)]
    noted = RunTurn(run.id, epoch, run.seq)
    noted.history = [HistoryRow(1.0, "suspended")]
    noted.change = {"status": "suspended"}
    large = RunTurn(run.id, epoch, run.seq)
    large.blobs = [(b"h" * 32, b"x" * 100_000)]
    large.size = 100_000
    return [simple, fan, noted, large]
