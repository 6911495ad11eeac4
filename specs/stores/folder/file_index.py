"""A FileIndex fits together what the files of a folder say: where two claim one name, the first keeps it."""

from collections.abc import Mapping

from heddle.schemas.problem import Problem
from heddle.specs.model.index import Key, ResourceIndex, key_of
from heddle.specs.model.store import Resource
from heddle.specs.stores.folder.file_record import SpecFile, kept_revision
from heddle.specs.yaml.document import taken


class FileIndex:
    """The resources of all files, the file that each stands in, and what does not fit together."""

    def __init__(self) -> None:
        self.resources = ResourceIndex()
        self.clashes: tuple[Problem, ...] = ()
        self.stale = False
        """Whether it may not agree with the files, as something failed on the way."""
        self._holders: dict[Key, str] = {}

    def holder(self, resource: Resource) -> str | None:
        """Return the file that a resource stands in."""
        return self._holders.get(key_of(resource))

    def arrange(
        self, files: Mapping[str, SpecFile], old: list[Resource], changed: list[str]
    ) -> dict[Key, Resource | None]:
        """Hold what the changed files say in the place of the old; return what was there, by key."""
        before: dict[Key, Resource | None] = {key_of(each): None for each in old}
        before.update(
            (key_of(each), None)
            for name in changed
            if name in files
            for each in files[name].entries
        )
        # Until it is done: if it fails on the way, the files say otherwise from now on.
        anew, self.stale = self.stale or bool(self.clashes), True
        if anew or not self._exchange(files, old, changed, before):
            before = self._rebuild(files, before)
        self.stale = False
        return before

    def _exchange(
        self,
        files: Mapping[str, SpecFile],
        old: list[Resource],
        changed: list[str],
        before: dict[Key, Resource | None],
    ) -> bool:
        """Put what the changed files say in the place of what they said; False if names clash.

        If they do, or if it fails on the way, everything is what it was: who had a name keeps it.
        """
        for key in before:
            before[key] = self.resources.get(key)
        holders = {key: self._holders.get(key) for key in before}
        done = False
        try:
            done = self._put(files, old, changed, before)
        finally:
            if not done:
                self._restore(before, holders)
        return done

    def _put(
        self,
        files: Mapping[str, SpecFile],
        old: list[Resource],
        changed: list[str],
        before: Mapping[Key, Resource | None],
    ) -> bool:
        """Put what the changed files say in the place of what they said; False as soon as names clash."""
        for resource in old:
            self.resources.drop(key_of(resource))
            self._holders.pop(key_of(resource), None)
        for name in changed:
            for resource in files[name].entries if name in files else ():
                key = key_of(resource)
                if (
                    self.resources.get(key) is not None
                    or self.resources.named(resource) is not None
                ):
                    return False
                self.resources.put(kept_revision(resource, before.get(key)))
                self._holders[key] = name
        return True

    def _restore(
        self, before: Mapping[Key, Resource | None], holders: Mapping[Key, str | None]
    ) -> None:
        # All are dropped first: a name may have gone from one to another.
        for key in before:
            self.resources.drop(key)
            self._holders.pop(key, None)
        for resource in before.values():
            if resource is not None:
                self.resources.put(resource)
        self._holders.update({key: name for key, name in holders.items() if name is not None})

    def _rebuild(
        self, files: Mapping[str, SpecFile], before: dict[Key, Resource | None]
    ) -> dict[Key, Resource | None]:
        """Fit everything together anew; the one that had a name keeps it."""
        was, holders = self.resources, self._holders
        entries = [(name, each) for name in sorted(files) for each in files[name].entries]
        entries.sort(key=lambda each: holders.get(key_of(each[1])) != each[0])
        resources, homes = ResourceIndex(), dict[Key, str]()
        clashes: list[Problem] = []
        for name, resource in entries:
            key = key_of(resource)
            first = resources.get(key) or resources.named(resource)
            if first is not None:
                clashes.append(taken(resource, first))
                continue
            resources.put(kept_revision(resource, was.get(key)))
            homes[key] = name
        # Not before all of it is made: if it fails on the way, the next one compares with what was.
        self.resources, self._holders, self.clashes = resources, homes, tuple(clashes)
        keys = {**before, **dict.fromkeys(was.keys()), **dict.fromkeys(self.resources.keys())}
        return {key: was.get(key) for key in keys}
