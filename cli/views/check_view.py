"""The report of `heddle check` about files: for people, or as JSON."""

from collections.abc import Sequence
from typing import Any

import click
import msgspec

from heddle.cli.documents import Documents
from heddle.cli.settings import Settings
from heddle.cli.views.output import print_json, print_problems
from heddle.cli.views.problem_report import as_data, severity, summary
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.graph_check import check_graph
from heddle.runtime.events.events import masked
from heddle.schemas.check import in_order
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet


class FileCheck(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one check of files."""

    documents: Documents
    problems: Sequence[Problem]
    specs: int
    values: int
    missing: Sequence[str]
    closed: Sequence[str]
    clear: Sequence[str]
    strict_env: bool

    @property
    def failed(self) -> bool:
        """Whether there is any error."""
        return any(severity(problem, strict=True) == "error" for problem in self.problems)

    def data(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "ok": not self.failed,
            "files": self.documents.files,
            "specs": self.specs,
            "values": self.values,
            "missing": self.missing,
            "closed": self.closed,
            "clear": self.clear,
            "problems": [as_data(problem, strict=True) for problem in self.problems],
        }

    def headline(self) -> str:
        """Return how many problems there are in how much."""
        counts = f"{_count(self.specs, 'spec')} and {_count(self.values, 'value')}"
        files = _count(len(self.documents.files), "file")
        return f"{summary(self.problems, strict=True)}: {counts} in {files}"

    def remarks(self) -> list[str]:
        """Return what is left to say, a line each."""
        lines = []
        if not (self.problems or self.documents.files):
            lines.append("nothing was checked: files of specs are named *.yaml, *.yml or *.json")
        if self.missing and not self.strict_env:
            names = " ".join(f"-e {name}=…" for name in self.missing)
            variables = " ".join(f"HEDDLE_ENVIRONMENT_{name}=…" for name in self.missing)
            lines.append(
                f"left open, as the environment does not give them: {names} (or {variables})"
            )
        if self.closed and not self.strict_env:
            lines.append(f"left open, as they cannot be opened here: {', '.join(self.closed)}")
        if self.clear:
            lines.append(
                f"secrets in clear: {', '.join(self.clear)}; heddle key rotate --clear seals them"
            )
        return lines


def check_files(
    documents: Documents, settings: Settings, registry: Registry, *, strict_env: bool
) -> FileCheck:
    """Return everything that is wrong with the Specs in these documents."""
    reading = documents.read(namespace=settings.namespace)
    checked = check_specs(
        reading.specs,
        ValueSet(reading.values),
        registry,
        partial=reading.invalid,
        environment=settings.environment,
        strict_env=strict_env,
    )
    # What could not be read is told once; that it is missing elsewhere follows from it.
    left_out = {problem.path.partition(".")[0] for problem in reading.problems}
    graph = check_graph(
        checked.parts,
        registry.scheme.schema,
        # What could not be read may be what leads there, or answers.
        whole=not reading.problems,
        type_of_code=registry.scheme.languages.type_of,
    )
    rest = [
        problem
        for problem in (*checked.problems, *checked.dead, *masked(tuple(graph), checked.secrets))
        if problem.code != "missing-link"
        or not (
            not reading.whole
            or any(problem.found.endswith(f'"{name}"') for name in left_out if name)
        )
    ]
    problems = in_order([*reading.problems, *rest])
    texts = {
        each.path
        for each in problems
        if "env" in each.hint or each.code in ("code", "unknown-field")
    }
    return FileCheck(
        documents=documents,
        problems=in_order([*problems, *(hint for hint in checked.hints if hint.path not in texts)]),
        specs=len(reading.specs),
        values=len(reading.values),
        missing=checked.missing,
        closed=checked.closed,
        clear=[value.label for value in reading.values if value.secret and value.plain],
        strict_env=strict_env,
    )


def print_check(check: FileCheck, *, as_json: bool) -> None:
    """Print a result, for people or for programs."""
    if as_json:
        print_json(check.data())
        return
    print_problems(check.problems, source=check.documents.source, err=False, strict=True)
    for line in (check.headline(), *check.remarks()):
        click.echo(line)


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
