"""A document is what someone wrote in one text: read it, and know the line of everything in it.

One entry (a mapping), a list of entries, several `---` documents, YAML 1.2 or JSON. An entry with
`kind` is a Spec; an entry with `data`, `sealed` or `from` and no `kind` is a Value; anything else is
a Problem. An entry without an id gets one that is the same whenever it is read again: from its namespace and
name, or, if it has no name, from its file, its kind and its number among the nameless ones.
"""

import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha1
from pathlib import Path as FilePath
from typing import Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import msgspec

from heddle.schemas.common_fields import DATA_FIELDS
from heddle.schemas.data_type import describe_type
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.path import Path, dotted
from heddle.schemas.problem import (
    DEFECT,
    REPORT_IT,
    Place,
    Problem,
    defect_of,
)
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model import names
from heddle.specs.model.entry import invalid_spec_of, value_of
from heddle.specs.model.limits import limits
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value
from heddle.specs.yaml.fast import FastSource, SpecPlaces, parse
from heddle.specs.yaml.parsed import NodePlace, ParsedText, TextProblem, resolve
from heddle.specs.yaml.spec_tree import (
    TooManyError,
    files_below,
    link_outside,
    too_large,
    unreadable,
)

Entry = TypeVar("Entry", Spec, Value)

Only: TypeAlias = Literal["specs", "values"] | None
"""The entries that a text may hold: only Specs, only Values, or both."""

scalar = resolve
"""The values of texts that stand unquoted in YAML 1.2: `8000` is a number."""


class ReadText(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a text. `whole` is false if some of it could not be read at all.

    `invalid` are the Specs with a Problem, as far as they could be read: more may be wrong with
    them, and links lead to them, but they are never stored or run.
    """

    specs: tuple[Spec, ...] = ()
    invalid: tuple[Spec, ...] = ()
    values: tuple[Value, ...] = ()
    problems: tuple[Problem, ...] = ()
    whole: bool = True


def read_text(
    text: str | bytes,
    *,
    file: str = "",
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
    key: str | None = None,
    revision: int = 0,
    most: int | None = None,
) -> ReadText:
    """Read a text; never raises for what it says: `problems` holds all that is wrong.

    `file` is what Problems call it. `namespace` is that of entries which name none. `key` is what
    ids of nameless entries are derived from (the file; without one, the text of the entry).
    `revision` is that of everything read. `most` are the bytes that it may have: by default, those of
    a file.
    An entry with a Problem is left out of `specs` and `values`; the others are there.
    """
    return read_parsed(
        text,
        parse,
        file=file,
        namespace=namespace,
        only=only,
        key=key,
        revision=revision,
        most=most,
    )[0]


def read_parsed(
    text: str | bytes,
    parser: Callable[[str], ParsedText],
    *,
    file: str,
    namespace: str,
    only: Only,
    key: str | None,
    revision: int,
    most: int | None,
    again: str | None = None,
) -> tuple[ReadText, ReadText | None, list[NodePlace]]:
    """Read a text as `read_text` does, with this parser.

    Return the Reading, the same with the ids of another key (`again`), and the places of everything
    if the parser knows them.
    """
    most = limits().file if most is None else most
    if len(text) > most:
        return ReadText(problems=(too_large(file, len(text), most),), whole=False), None, []
    decoded = decode(text) if isinstance(text, bytes) else text
    if decoded is None:
        problem = Problem(
            code="syntax",
            found="bytes that are not UTF-8",
            expected="UTF-8 (or UTF-16 with its mark)",
            place=Place(file),
        )
        return ReadText(problems=(problem,), whole=False), None, []
    decoded = decoded.removeprefix("\ufeff")
    try:
        parsed = parser(decoded)
        source = FastSource(decoded, file, parsed.where)

        def read(key: str) -> ReadText:
            reader = _EntryReader(source, namespace, only, key)
            reader.revision = revision
            return reader.read(parsed)

        first = read(file if key is None else key)
        other = read(again) if again is not None and not first.problems else None
        return first, other, parsed.where or []
    except MemoryError:
        raise
    except Exception as error:
        # One text that trips over a defect must never hold up the others.
        return ReadText(problems=(failed(error, file),), whole=False), None, []


def read_path(
    path: str | os.PathLike[str],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
) -> ReadText:
    """Read a file, every `*.yaml`, `*.yml` and `*.json` of a folder, or standard input (`-`).

    What cannot be opened is a Problem. Names and ids are unique over everything that is read: the
    second one is a Problem that names both places.
    """
    if str(path) == "-":
        data = sys.stdin.buffer.read()
        return read_text(data, file="<stdin>", namespace=namespace, only=only, key="")
    root = FilePath(path)
    if not root.is_dir():
        return _read_file(root, os.path.normpath(path), namespace, only)
    outside: list[str] = []
    try:
        names = files_below(os.fspath(path), outside)
    except TooManyError as error:
        return ReadText(problems=(error.problem,), whole=False)
    readings = [_read_file(root / name, name, namespace, only) for name in names]
    problems = tuple(link_outside(str(root / name)) for name in outside)
    return join([*readings, ReadText(problems=problems)])


def _read_file(path: FilePath, key: str, namespace: str, only: Only) -> ReadText:
    try:
        data = path.read_bytes()
    except OSError as error:
        return ReadText(problems=(unreadable(str(path), error),), whole=False)
    except ValueError as error:
        # A path that no system call takes.
        return ReadText(problems=(failed(error, str(path)),), whole=False)
    key = key.replace(os.sep, "/")
    return read_text(data, file=str(path), namespace=namespace, only=only, key=key)


def failed(error: Exception, file: str) -> Problem:
    """Return the Problem of a text over which Heddle itself failed."""
    return Problem(code=DEFECT, found=defect_of(error), hint=REPORT_IT, place=Place(file))


def read_data(
    entries: Any,
    *,
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
    places: SpecPlaces | None = None,
    key: str = "",
) -> ReadText:
    """Read plain data, one entry or a list, as it comes from JSON over HTTP or from a field.

    `places` tells where the data stands, for a field of a Spec that holds Specs.
    """
    source = places.source if places is not None else FastSource("", "")
    reader = _EntryReader(source, namespace, only, key)
    reader.located = places is not None
    try:
        reader.document(entries, places.root if places is not None else ())
        return reader.done(whole=True)
    except Exception as error:
        return ReadText(problems=(failed(error, source.file),), whole=False)


def join(readings: Iterable[ReadText]) -> ReadText:
    """Return what several texts say together; the second use of an id or a name is a Problem."""
    specs: list[Spec] = []
    values: list[Value] = []
    problems: list[Problem] = []
    whole = True
    invalid: list[Spec] = []
    for reading in readings:
        specs.extend(reading.specs)
        invalid.extend(reading.invalid)
        values.extend(reading.values)
        problems.extend(reading.problems)
        whole = whole and reading.whole
    kept_specs, twice = unique(specs)
    kept_values, twice_values = unique(values)
    return ReadText(
        specs=tuple(kept_specs),
        invalid=(*invalid, *_beside(specs, kept_specs)),
        values=tuple(kept_values),
        problems=(*problems, *twice, *twice_values),
        whole=whole,
    )


def unique(resources: Sequence[Entry]) -> tuple[list[Entry], list[Problem]]:
    """Return the resources whose id and name are theirs alone, the first of each; Problems for the rest."""
    kept: list[Entry] = []
    problems: list[Problem] = []
    ids: dict[UUID, Entry] = {}
    known: dict[tuple[str, str], Entry] = {}
    for resource in resources:
        first = ids.get(resource.id)
        name = resource.name
        if name is not None:
            by_name = known.setdefault((resource.namespace, name), resource)
            first = by_name if by_name is not resource else first
        if first is None:
            ids[resource.id] = resource
            kept.append(resource)
        else:
            problems.append(taken(resource, first))
    return kept, problems


def _beside(specs: Sequence[Spec], kept: Sequence[Spec]) -> list[Spec]:
    """Return the Specs that are not among the kept ones themselves: an equal one may be."""
    known = {id(spec) for spec in kept}
    return [spec for spec in specs if id(spec) not in known]


def taken(resource: Spec | Value, first: Spec | Value) -> Problem:
    """Return the Problem of a resource whose name, or id, another one has already."""
    same_name = resource.name is not None and resource.name == first.name
    field = "name" if same_name else "id"
    text = f'the name "{resource.name}"' if same_name else f"the id {resource.id}"
    where = f" in the namespace {resource.namespace}" if same_name else ""
    return Problem(
        code="duplicate-name" if same_name else "duplicate-id",
        found=f"{text} is taken{where}: {first.place((field,))} has it",
        hint="Give one of them another" + (" name" if same_name else ", or leave the id out"),
        place=resource.place((field,)),
        path=f"{resource.name or resource.id}.{field}",
    )


def _stable(data: dict[str, Any]) -> bytes:
    """Return bytes that are the same for equal data."""
    try:
        return msgspec.json.encode(data)
    except (TypeError, ValueError, OverflowError, RecursionError):
        # Whole numbers of more than 64 bits, or halves of character pairs.
        return repr(data).encode("utf-8", "surrogatepass")


def _label(root: Path) -> str:
    """Return what to call an entry that has no name: its number, if it is one of several."""
    if len(root) > 1 and isinstance(root[-1], int):
        return f"entry {root[-1] + 1}"
    return f"document {root[0] + 1}" if root and isinstance(root[0], int) and root[0] else ""


class _EntryReader:
    """Turns the entries of one text into Specs and Values."""

    def __init__(self, source: FastSource, namespace: str, only: Only, key: str) -> None:
        self.source = source
        self.namespace = namespace
        self.only = only
        self.key = key
        self.located = True
        self.revision = 0
        self.specs: list[Spec] = []
        self.invalid: list[Spec] = []
        self.values: list[Value] = []
        self.problems: list[Problem] = []
        self.broken: set[Path] = set()
        self.nameless: Counter[str] = Counter()
        self.position = ""

    def read(self, parsed: ParsedText) -> ReadText:
        """Return every entry of every document."""
        for fault in parsed.faults:
            self.fault(fault, parsed.documents)
        for number, document in enumerate(parsed.documents):
            self.document(document, (number,))
        return self.done(parsed.whole)

    def done(self, whole: bool) -> ReadText:
        """Return what was read, with names and ids that are used twice told."""
        specs, twice = unique(self.specs)
        values, twice_values = unique(self.values)
        problems = sorted(
            (*self.problems, *twice, *twice_values),
            key=lambda each: (each.place.line, each.place.column),
        )
        return ReadText(
            specs=tuple(specs),
            invalid=(*self.invalid, *_beside(self.specs, specs)),
            values=tuple(values),
            problems=tuple(problems),
            whole=whole,
        )

    def document(self, document: Any, root: Path) -> None:
        """Read one document: an entry, a list of entries, or nothing."""
        if type(document) is list:
            for number, entry in enumerate(document):
                self.entry(entry, (*root, number))
        elif document is not None:
            self.entry(document, root)

    def entry(self, data: Any, root: Path) -> None:
        """Read one entry: a Spec, a Value, or a Problem."""
        if type(data) is not dict:
            self.shape(root, describe_type(data), "a mapping with `kind`, or with `data`")
            return
        is_value = "kind" not in data and (
            self.only == "values" or any(field in data for field in DATA_FIELDS)
        )
        sort = "value" if is_value else "spec"
        if "kind" not in data and sort == "spec" and self.only is None:
            near = did_you_mean("kind", list(data)) or did_you_mean("data", list(data))
            hint = near.replace("Did you mean", "Is it").replace("?", " that was meant so?")
            expected = "`kind` makes it a Spec, `data` a Value"
            self.shape(root, "an entry without `kind`", expected, hint, data)
            return
        if self.only is not None and not self.only.startswith(sort):
            text = "a Spec, it has `kind`" if sort == "spec" else "a Value, it has no `kind`"
            self.shape(root, text, f"only {self.only} here", data=data)
            return
        if data.get("name") is None and data.get("id") is None:
            self.count(data, sort)
        read = invalid_spec_of if sort == "spec" else value_of
        resource, problems = read(
            data,
            namespace=self.namespace,
            derive=self.derive,
            places=SpecPlaces(self.source, root) if self.located else None,
            label=_label(root),
            revision=self.revision,
        )
        self.problems.extend(problems)
        if resource is None or root in self.broken:
            return
        if isinstance(resource, Spec):
            (self.invalid if problems else self.specs).append(resource)
        else:
            self.values.append(resource)

    def count(self, data: dict[str, Any], sort: str) -> None:
        """Note which of the nameless entries this is."""
        kind = str(data.get("kind", sort)).encode("utf-8", "replace").decode()
        if not self.key:
            kind = sha1(_stable(data), usedforsecurity=False).hexdigest()
        self.position = f"{kind}[{self.nameless[kind]}]"
        self.nameless[kind] += 1

    def derive(self, sort: str, namespace: str, name: str | None) -> UUID:
        """Return the id of an entry that has none."""
        if name is not None:
            return names.named_id(sort, namespace, name)
        return names.anonymous_id(sort, namespace, self.key, self.position)

    def shape(
        self,
        root: Path,
        actual: str,
        expected: str,
        hint: str = "",
        data: dict[str, Any] | None = None,
    ) -> None:
        """Note an entry that is nothing we know."""
        name = data.get("name") if data is not None else None
        place = self.source.place(root) if self.located else Place(self.source.file)
        self.problems.append(
            Problem(
                code="shape",
                found=actual,
                expected=expected,
                hint=hint,
                place=place,
                path=name if isinstance(name, str) else "",
            )
        )

    def fault(self, fault: TextProblem, documents: list[Any]) -> None:
        """Tell what is wrong with the text itself, and leave out the entries that it spoils."""
        root = fault.path[:1]
        label = ""
        if root and isinstance(root[0], int) and root[0] < len(documents):
            entry = documents[root[0]]
            if type(entry) is list:
                root = fault.path[:2]
                if len(root) == 1:
                    self.broken.update((*root, number) for number in range(len(entry)))
                elif isinstance(root[1], int) and root[1] < len(entry):
                    entry = entry[root[1]]
            self.broken.add(root)
            if type(entry) is dict:
                label = str(entry.get("name") or entry.get("kind") or "")
        self.problems.append(
            Problem(
                code=fault.code,
                found=fault.found,
                expected=fault.expected,
                hint=fault.hint,
                place=Place(self.source.file, fault.line, fault.column),
                path=dotted(label, fault.path[len(root) :]),
            )
        )


def decode(data: bytes) -> str | None:
    """Return the text of a file: UTF-8, or UTF-16 with its mark; None if it is neither."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        return data.decode("utf-16" if wide else "utf-8")
    except UnicodeDecodeError:
        return None
