"""TaskPlaces are the lines of the tasks of one workflow, so that an error can name the line to mend."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heddle.cli.runs.target import RunTarget
    from heddle.extensions.extension import Error
    from heddle.schemas.path import Path


class TaskPlaces:
    """Finds `file:line` of tasks; the names of a list of tasks are read once, however many are looked up.

    `target` is the workflow as its source is now; without it, no place is known.
    """

    def __init__(self, target: "RunTarget | None") -> None:
        self._name = target.name if target is not None else ""
        self._spec = target.find_spec() if target is not None else None
        self._entries: dict[Path, dict[str, tuple[int, Mapping[str, Any]]]] = {}

    def of_error(self, error: "Error") -> str:
        """Return `file:line` of the task that an Error arose in; empty if that is not known."""
        name, _, path = error.symbol.partition("/")
        return self.of_task(path) if name == self._name else ""

    def of_task(self, path: str) -> str:
        """Return `file:line` of the task with this task path; empty if that is not known.

        A task of a workflow that stands inside another has its own line; one that stands elsewhere (a
        workflow by `uses`) has the line of the task that it is inside of.
        """
        if self._spec is None:
            return ""
        at: Path = ()
        place_path: Path = ()
        fields: Any = self._spec.fields
        for part in path.split("/"):
            name, _, fallback = part.partition("#")[0].partition("|")
            number, task = self._entry((*at, "tasks"), fields, name)
            if number is None:
                break
            at = place_path = (*at, "tasks", number)
            if fallback:
                number, task = self._entry((*at, "fallback"), task, fallback)
                if number is None:
                    break
                at = place_path = (*at, "fallback", number)
            fields, at = task.get("do"), (*at, "do")
        place = self._spec.place(place_path)
        return f"{place.file}:{place.line}" if place_path and place.file else ""

    def _entry(self, at: "Path", fields: Any, name: str) -> tuple[int | None, Mapping[str, Any]]:
        """Return the number and the fields of the entry with this name in the list at a path."""
        known = self._entries.get(at)
        if known is None:
            known = self._entries[at] = {}
            entries = fields.get(at[-1]) if isinstance(fields, Mapping) else None
            for number, entry in enumerate(entries if isinstance(entries, list) else ()):
                if isinstance(entry, Mapping):
                    known.setdefault(str(entry.get("name")), (number, entry))
        return known.get(name, (None, {}))
