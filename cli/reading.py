"""What the files of a command say, as resources for a store; and what is wrong with them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from heddle.cli.documents import Documents
from heddle.cli.settings import Settings
from heddle.specs.document import Only
from heddle.specs.problem import Problem
from heddle.specs.store import Resource

if TYPE_CHECKING:
    from heddle.runtime.extension import Registry


class Given:
    """The files of a command, read as Specs (`specs`), as Values (`values`), or as both (`all`)."""

    def __init__(self, files: Sequence[str], sort: str, settings: Settings) -> None:
        self.only: Only = "specs" if sort == "specs" else "values" if sort == "values" else None
        self.documents = Documents(files)
        self.settings = settings
        self.reading = self.documents.read(namespace=settings.namespace, only=self.only)

    @property
    def resources(self) -> list[Resource]:
        """Everything that was read."""
        return [*self.reading.specs, *self.reading.values]

    @property
    def nothing(self) -> str:
        """What is said where the files hold nothing."""
        return f"nothing to apply: {', '.join(self.documents.files) or 'no files'} hold nothing"

    def problems(self, registry: "Registry") -> Sequence[Problem]:
        """The Problems of reading, and those of what could be read; empty where it reads well."""
        if not self.reading.problems:
            return ()
        from heddle.runtime.checking import check_specs
        from heddle.schemas.check import in_order
        from heddle.specs.bind import Values

        checked = check_specs(
            self.reading.specs,
            Values(self.reading.values),
            registry,
            spoiled=self.reading.spoiled,
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
        said = {spec.id for spec in again.specs} | {value.id for value in again.values}
        return frozenset(nameless - said)
