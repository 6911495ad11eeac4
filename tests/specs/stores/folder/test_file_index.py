"""Whatever fails while files are fitted together: the next time everything is as if nothing had failed."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.specs.model.index import ResourceIndex, key_of
from heddle.specs.model.store import Resource
from heddle.specs.stores.contract_story import spec
from heddle.specs.stores.folder.file_index import FileIndex
from heddle.specs.stores.folder.file_record import SpecFile

NAMES = ("a", "b", "c", "d")

FILES = st.dictionaries(
    st.sampled_from(["one", "two", "three"]),
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.integers(1, 3)), max_size=3, unique_by=lambda e: e[0]
    ),
    max_size=3,
)


class DefectError(Exception):
    """What nobody expects."""


def record(entries: list[tuple[str, int]]) -> SpecFile:
    """Return a file that says this."""
    return SpecFile(entries=tuple(spec(name, fields={"v": v}, revision=1) for name, v in entries))


def seen(index: FileIndex) -> dict[str, tuple[object, str | None]]:
    """Return what an index holds by name, with the file of each."""
    return {
        str(each.name): (getattr(each, "fields", {})["v"], index.holder(each))
        for each in index.resources.all()
    }


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(FILES, st.none() | st.integers(0, 6)), max_size=6))
def test_index_agrees_with_the_files_and_says_what_changed(
    steps: list[tuple[dict[str, list[tuple[str, int]]], int | None]],
) -> None:
    index, files = FileIndex(), dict[str, SpecFile]()
    # What somebody knows who is told the keys that changed.
    follower: dict[object, Resource] = {}
    pending: tuple[list[Resource], set[str]] = [], set()
    for texts, fails_at in [*steps, ({}, None)]:
        old, changed = pending
        for name in {*files, *texts}:
            new = record(texts[name]) if name in texts else None
            if (files[name].entries if name in files else ()) != (new.entries if new else ()):
                old.extend(files[name].entries if name in files else ())
                changed.add(name)
                files.pop(name, None)
                if new is not None:
                    files[name] = new
        holders = {key: index.holder(each) for key, each in follower.items()}
        try:
            with pytest.MonkeyPatch.context() as patch:
                break_put(patch, fails_at, [*follower.values()])
                before = index.arrange(files, old, sorted(changed))
        except DefectError:
            # Nothing has changed for anybody.
            assert {key: index.holder(each) for key, each in follower.items()} == holders
            assert {key_of(each): each for each in index.resources.all()} == follower
            pending = old, changed
            continue
        pending = [], set()
        for key, was in before.items():
            now = index.resources.get(key)
            assert follower.get(key) == was
            follower.pop(key, None)
            if now is not None:
                follower[key] = now
        assert {key_of(each): each for each in index.resources.all()} == follower
        entries = {(name, each.name) for name, file in files.items() for each in file.entries}
        assert {name for _, name in entries} == set(seen(index))
        assert all((file, name) in entries for name, (_, file) in seen(index).items())


def break_put(patch: pytest.MonkeyPatch, fails_at: int | None, known: list[Resource]) -> None:
    """Have the index fail at one of the resources that it is to hold, but not as it goes back to those known."""
    put, count = ResourceIndex.put, 0

    def fail(index: ResourceIndex, resource: Resource) -> None:
        nonlocal count
        if not any(resource is each for each in known):
            count += 1
            if count - 1 == fails_at:
                raise DefectError
        put(index, resource)

    patch.setattr(ResourceIndex, "put", fail)
