"""The contract, beside StoreContract, of a store that keeps Revisions, Reports or what was accepted, or resumes.

class TestMyStoreLooksBack(RevisionContract):
    def make(self, folder: Path) -> Store:
        return MyStore(...)

It is a kit of tests: an `assert` in it fails the test of whoever runs it, and guards no data of a runtime.
"""

import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from heddle.schemas.errors import NotFoundError
from heddle.specs.model.accepted import AcceptanceStore, AcceptedResource
from heddle.specs.model.names import new_id
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.revision import Note, Revision, RevisionStore, since
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Delete, Put, ResumableStore, Store
from heddle.specs.model.symbol_status import Condition, SymbolStatus
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.contract import Contract
from heddle.specs.stores.contract_story import AWKWARD, spec, value


def recording(store: Store) -> RevisionStore:
    """Return the store as one that keeps its Revisions."""
    assert isinstance(store, RevisionStore)
    return store


def reporting(store: Store) -> ReportStore:
    """Return the store as one that keeps Reports."""
    assert isinstance(store, ReportStore)
    return store


def accepting(store: Store) -> AcceptanceStore:
    """Return the store as one that keeps what was accepted last."""
    assert isinstance(store, AcceptanceStore)
    return store


def _messages(revisions: Sequence[Revision]) -> list[str]:
    return [each.message for each in revisions]


class RevisionContract(Contract):
    """The promises of a store that keeps its Revisions, one a test."""

    def author(self, name: str) -> str:
        """Return how a revision names the author of a change; a store behind an API marks what it is told."""
        return name

    def test_a_revision_says_who_when_why_and_what(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample, two = spec("one", fields={"a": 1}), value("two", {"b": 2})
            began = time.time() - 60
            put = await store.apply([Put(resource=sample), Put(resource=two)], Note("ada", "begin"))
            changed = spec("one", fields={"a": 2})
            await store.apply([Put(resource=changed)], Note("bob", "more"))
            await store.apply([Delete(type=Spec, id=sample.id)])
            last, more, begin = await recording(store).history()
            assert (begin.author, begin.message) == (self.author("ada"), "begin")
            assert began < begin.time < time.time() + 60
            assert [(turn.before, turn.after) for turn in begin.turns] == [
                (None, sample),
                (None, two),
            ]
            assert {each.revision for each in put} == {begin.number}
            assert [(turn.before, turn.after) for turn in more.turns] == [(sample, changed)]
            assert [(turn.before, turn.after) for turn in last.turns] == [(changed, None)]
            assert begin.number < more.number < last.number == await store.newest()
            assert await recording(store).revision(more.number) == more

        self.run(tmp_path, story)

    def test_what_changes_nothing_is_no_revision(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))], Note("ada", "first"))
            await store.apply([Put(resource=spec("one"))], Note("ada", "again"))
            assert _messages(await recording(store).history()) == ["first"]

        self.run(tmp_path, story)

    def test_history_is_given_in_pages_and_by_namespace(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            for number in range(5):
                await store.apply([Put(resource=spec(f"n{number}"))], Note("", f"here {number}"))
            there = spec("one", namespace="other")
            both = [Put(resource=there), Put(resource=spec("both"))]
            await store.apply(both, Note("", "both"))
            await store.apply([Put(resource=spec("two", namespace="other"))], Note("", "there"))
            history = recording(store).history
            assert _messages(await history(limit=2)) == ["there", "both"]
            first, second = await history("default", limit=2)
            assert (first.message, second.message) == ("both", "here 4")
            assert [turn.resource.name for turn in first.turns] == ["both"]
            rest = await history("default", before=second.number)
            assert _messages(rest) == ["here 3", "here 2", "here 1", "here 0"]
            assert [turn.after for turn in (await history("other"))[-1].turns] == [there]
            assert list(await history("nowhere")) == []

        self.run(tmp_path, story)

    def test_what_is_not_there_is_said(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            text = ""
            try:
                await recording(store).revision(await store.newest() + 1_000_000)
            except NotFoundError as error:
                text = str(error)
            assert "revision" in text

        self.run(tmp_path, story)

    def test_turns_since_a_revision_lead_back_to_it(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample, two = spec("one", fields={"a": 1}), spec("two")
            await store.apply([Put(resource=sample), Put(resource=two)])
            then = await store.newest()
            await store.apply([Put(resource=spec("one", fields={"a": 2}))])
            await store.apply([Put(resource=spec("one", fields={"a": 3})), Put(resource=spec("x"))])
            await store.apply([Delete(type=Spec, id=two.id)])
            await store.apply([Delete(type=Spec, id=spec("x").id)])
            turns = await since(recording(store), then)
            entries = {turn.resource.name: (turn.before, turn.after) for turn in turns}
            assert entries == {"one": (sample, spec("one", fields={"a": 3})), "two": (two, None)}

        self.run(tmp_path, story)

    def test_history_is_there_the_next_time(self, tmp_path: Path) -> None:
        async def write(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))], Note("ada", "kept"))

        async def read(store: Store) -> None:
            assert _messages(await recording(store).history()) == ["kept"]

        self.run(tmp_path, write)
        if self.kept:
            self.run(tmp_path, read)


class ResumableContract(Contract):
    """The promises of a store that can tell what somebody missed, one a test."""

    def test_what_was_missed_is_reported_in_order(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            assert isinstance(store, ResumableStore)
            await store.apply([Put(resource=spec("before"))])
            then = await store.newest()
            assert list(await store.missed(then) or ()) == []
            sample, two, held = spec("one"), spec("two"), value("held", 1)
            await store.apply([Put(resource=sample), Put(resource=held)])
            await store.apply([Put(resource=two)])
            await store.apply([Delete(type=Spec, id=sample.id)])
            missed = await store.missed(then, "default")
            assert missed is not None
            assert [each.specs for each in missed] == [{sample.id}, {two.id}, {sample.id}]
            assert [each.values for each in missed] == [{held.id}, set(), set()]
            numbers = [each.revision for each in missed]
            assert then < numbers[0] < numbers[1] < numbers[2] == await store.newest()
            assert list(await store.missed(numbers[1]) or ()) == missed[2:]

        self.run(tmp_path, story)

    def test_what_changed_elsewhere_may_come_without_keys(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            assert isinstance(store, ResumableStore)
            then = await store.newest()
            here, there = spec("one"), spec("one", namespace="other")
            await store.apply([Put(resource=there)])
            await store.apply([Put(resource=here)])
            missed = await store.missed(then, "other")
            assert missed is not None
            assert there.id in missed[0].specs

        self.run(tmp_path, story)

    def test_a_revision_that_never_was_cannot_be_resumed_from(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            assert isinstance(store, ResumableStore)
            await store.apply([Put(resource=spec("one"))])
            assert await store.missed(await store.newest() + 1_000) is None

        self.run(tmp_path, story)


class AcceptanceContract(Contract):
    """The promises of a store that keeps what a runtime accepted last, one a test."""

    def test_what_was_accepted_stays_when_the_store_goes_on(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            sample, two, held = spec("one", fields=AWKWARD), spec("two"), value("held", AWKWARD)
            put = await store.apply([Put(resource=each) for each in (sample, two, held)])
            first = [AcceptedResource.of(each, active=each.name != "two") for each in put]
            await accepting(store).accept("default", first)
            changed = spec("one", fields={"a": 2})
            await store.apply([Put(resource=changed), Delete(type=Spec, id=two.id)])
            state = await accepting(store).accepted("default")
            assert list(state.items) == first
            assert [each.resource for each in state.items] == [sample, two, held]
            assert [each.active for each in state.items] == [True, False, True]
            assert state.problems == ()
            [now] = await store.specs()
            await accepting(store).accept("default", [AcceptedResource.of(now)], [("spec", two.id)])
            again = (await accepting(store).accepted("default")).items
            assert {each.name: each for each in (sample.resource for sample in again)} == {
                "one": changed,
                "held": held,
            }
            assert list((await accepting(store).accepted("other")).items) == []

        self.run(tmp_path, story)

    def test_accepting_the_same_again_and_dropping_nothing_do_no_harm(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            [put] = await store.apply([Put(resource=spec("one"))])
            kept = [AcceptedResource.of(put)]
            await accepting(store).accept("default", kept)
            await accepting(store).accept("default", kept, [("value", new_id())])
            await accepting(store).accept("default", [], [])
            assert list((await accepting(store).accepted("default")).items) == kept

        self.run(tmp_path, story)

    def test_a_secret_in_clear_is_accepted_masked_and_a_sealed_one_sealed(
        self, tmp_path: Path
    ) -> None:
        async def story(store: Store) -> None:
            sealed = Keyring.of(new_key()).seal(value("sealed", "hunter2 sealed", secret=True))
            clear = value("clear", {"password": "hunter2 clear"}, secret=True)
            put = await store.apply([Put(resource=sealed), Put(resource=clear)])
            await accepting(store).accept("default", [AcceptedResource.of(each) for each in put])
            items = (await accepting(store).accepted("default")).items
            assert "hunter2" not in str(items)
            assert items[0].resource == sealed
            assert items[1].resource.id == clear.id

        self.run(tmp_path, story)

    def test_accepting_changes_nothing_that_is_watched(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            [put] = await store.apply([Put(resource=spec("one"))])
            newest = await store.newest()
            await accepting(store).accept("default", [AcceptedResource.of(put)])
            assert await store.newest() == newest
            assert [each.name for each in await store.specs()] == ["one"]
            assert list(await store.problems()) == []

        self.run(tmp_path, story)

    def test_what_was_accepted_is_there_the_next_time(self, tmp_path: Path) -> None:
        kept: list[AcceptedResource] = []

        async def write(store: Store) -> None:
            [put] = await store.apply([Put(resource=spec("one"))])
            kept.append(AcceptedResource.of(put))
            await accepting(store).accept("default", kept)

        async def read(store: Store) -> None:
            assert list((await accepting(store).accepted("default")).items) == kept

        self.run(tmp_path, write)
        if self.kept:
            self.run(tmp_path, read)


class ReportContract(Contract):
    """The promises of a store in which runtimes say how they are, one a test."""

    def test_a_report_is_kept_replaced_and_withdrawn(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            first = _report("r1", observed=4)
            await reporting(store).report(first)
            await reporting(store).report(_report("r2", namespace="other"))
            assert list(await reporting(store).reports("default")) == [first]
            assert {each.runtime for each in await reporting(store).reports()} >= {"r1", "r2"}
            sick = SymbolStatus(
                id=new_id(),
                name="pong",
                kind="snippet",
                revision=5,
                observed=4,
                conditions=(Condition(type="Valid", status=False, reason="UnknownField"),),
            )
            again = msgspec.structs.replace(first, observed=5, symbols=(sick,))
            await reporting(store).report(again)
            assert list(await reporting(store).reports("default")) == [again]
            await reporting(store).withdraw("r1")
            await reporting(store).withdraw("nobody")
            assert list(await reporting(store).reports("default")) == []

        self.run(tmp_path, story)

    def test_who_is_gone_says_nothing(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            old = msgspec.structs.replace(_report("r1"), seen=time.time() - 100)
            await reporting(store).report(old)
            assert list(await reporting(store).reports("default")) == []

        self.run(tmp_path, story)

    def test_reports_change_nothing_that_is_watched(self, tmp_path: Path) -> None:
        async def story(store: Store) -> None:
            await store.apply([Put(resource=spec("one"))])
            newest = await store.newest()
            await reporting(store).report(_report("r1"))
            assert await store.newest() == newest
            assert [each.name for each in await store.specs()] == ["one"]
            assert list(await store.problems()) == []

        self.run(tmp_path, story)


def _report(runtime: str, *, namespace: str = "default", observed: int = 1) -> Report:
    return Report(
        runtime=runtime,
        namespace=namespace,
        host="here",
        pid=1,
        started=time.time(),
        seen=time.time(),
        observed=observed,
    )
