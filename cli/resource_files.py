"""The files of a command as resources for a store, and their Problems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from heddle.cli.documents import Documents
from heddle.cli.extensions import reachable_specs
from heddle.cli.settings import Settings
from heddle.schemas.problem import Problem
from heddle.specs.model.store import Resource, Store
from heddle.specs.yaml.document import Only

if TYPE_CHECKING:
    from heddle.runtime.assembly.extension import Registry
    from heddle.runtime.changes.plan import ApplyResult, Plan


class ResourceFiles:
    """The files of a command, read as Specs (`specs`), as Values (`values`), or as both (`all`)."""

    def __init__(self, files: Sequence[str], sort: str, settings: Settings) -> None:
        self.only: Only = "specs" if sort == "specs" else "values" if sort == "values" else None
        self.documents = Documents(files)
        self.settings = settings
        self.documents.check_size()
        reachable_specs(files)
        self.reading = self.documents.read(namespace=settings.namespace, only=self.only)

    @property
    def resources(self) -> list[Resource]:
        """Everything that was read."""
        return [*self.reading.specs, *self.reading.values]

    @property
    def nothing(self) -> str:
        """The message if the files hold nothing."""
        return f"nothing to apply: {', '.join(self.documents.files) or 'no files'} hold nothing"

    def problems(self, registry: "Registry") -> Sequence[Problem]:
        """Return the Problems of reading, and those of what could be read; empty if it reads well."""
        if not self.reading.problems:
            return ()
        from heddle.runtime.assembly.check import check_specs
        from heddle.schemas.check import in_order
        from heddle.specs.binding.bind import ValueSet

        checked = check_specs(
            self.reading.specs,
            ValueSet(self.reading.values),
            registry,
            partial=self.reading.invalid,
            environment=self.settings.environment,
            later=True,
        )
        return in_order([*self.reading.problems, *checked.problems])

    @property
    def anonymous(self) -> frozenset[UUID]:
        """The ids that no document says: read under another key, they come out otherwise."""
        nameless = {each.id for each in self.resources if each.name is None}
        if not nameless:
            return frozenset()
        again = self.documents.read(
            namespace=self.settings.namespace, only=self.only, key="another key/"
        )
        uuids = {spec.id for spec in again.specs} | {value.id for value in again.values}
        return frozenset(nameless - uuids)


class Planner:
    """Plans what files would change, as often as it takes.

    `base` is the revision that the files were made from. With `merge`, what somebody else changed
    meanwhile is put together with what the files change, if that fits: before it is planned, and
    once more if it happened between the plan and its making.
    """

    def __init__(
        self,
        given: ResourceFiles,
        *,
        prune: bool = False,
        base: int | None = None,
        merge: bool = False,
    ) -> None:
        self.given = given
        self._prune = prune
        self._base = base
        self._merge = merge
        self._read = 0

    async def plan(self, store: Store, registry: "Registry") -> "Plan":
        """Return what the files would change in the store as it is now."""
        from heddle.runtime.changes.apply import plan_apply

        self._read = await store.newest()
        return await plan_apply(
            store,
            self.given.resources,
            registry,
            anonymous=self.given.anonymous,
            prune=self._prune,
            base=self._base,
            merge=self._merge,
        )

    def again(self, planned: "Plan", applied: "ApplyResult") -> bool:
        """Return whether to plan once more: somebody was faster, and both changes may be put together."""
        faster = bool(applied.clashes) and not planned.clashes
        if self._merge and faster and self._base is None:
            self._base = self._read
        return self._merge and faster
