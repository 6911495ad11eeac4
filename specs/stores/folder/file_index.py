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
        if self.clashes or not self._exchange(files, old, changed, before):
            return self._rebuild(files, before)
        return before

    def _exchange(
        self,
        files: Mapping[str, SpecFile],
        old: list[Resource],
        changed: list[str],
        before: dict[Key, Resource | None],
    ) -> bool:
        """Put what the changed files say in the place of what they said; False if names clash."""
        for key in before:
            before[key] = self.resources.get(key)
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
                    # Back to what it was: who had the name keeps it.
                    for each, was in before.items():
                        self.resources.drop(each)
                        if was is not None:
                            self.resources.put(was)
                    return False
                self.resources.put(kept_revision(resource, before.get(key)))
                self._holders[key] = name
        return True

    def _rebuild(
        self, files: Mapping[str, SpecFile], before: dict[Key, Resource | None]
    ) -> dict[Key, Resource | None]:
        """Fit everything together anew; the one that had a name keeps it."""
        was, holders = self.resources, self._holders
        entries = [(name, each) for name in sorted(files) for each in files[name].entries]
        entries.sort(key=lambda each: holders.get(key_of(each[1])) != each[0])
        self.resources, self._holders = ResourceIndex(), {}
        clashes: list[Problem] = []
        for name, resource in entries:
            key = key_of(resource)
            first = self.resources.get(key) or self.resources.named(resource)
            if first is not None:
                clashes.append(taken(resource, first))
                continue
            self.resources.put(kept_revision(resource, was.get(key)))
            self._holders[key] = name
        self.clashes = tuple(clashes)
        keys = {**before, **dict.fromkeys(was.keys()), **dict.fromkeys(self.resources.keys())}
        return {key: was.get(key) for key in keys}
