"""One entry of a document becomes a Spec or a Value, or the Problems that say why not."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from heddle.schemas.common_fields import DATA_FIELDS, SEAL_PREFIX, VALUE_FIELDS
from heddle.schemas.data_type import describe_type
from heddle.schemas.link import DEFAULT_NAMESPACE, Link, names_port, parse_target
from heddle.schemas.path import Path, dotted
from heddle.schemas.problem import NOWHERE, Place, Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model import names
from heddle.specs.model.mask import covered
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.value import FORMATS, Value, ValueSource

Derive: TypeAlias = Callable[[str, str, str | None], UUID]
"""The id of an entry that has none, from its sort (`spec`, `value`), namespace and name."""

Order: TypeAlias = Callable[[str], Sequence[str]]
"""The fields of a kind in the order in which it declares them; empty for a kind that is not known."""

_FIRST = ("kind", "name", "namespace", "id", "annotations")
_LAST = ("env", "ports")
_VALUE_ORDER = ("name", "namespace", "id", "annotations", "secret", "from", "sealed", "data")
_LINK_FIELDS = ("name", "id", "port")
_BINDING_FIELDS = ("name", "id", "data")
_SOURCE_FIELDS = ("env", "file", "format")
_EMPTY: Mapping[str, Any] = {}


def no_order(kind: str) -> Sequence[str]:
    """Return the fields of every kind stay in the order in which they are written."""
    del kind
    return ()


def ordered(keys: Iterable[str], kind: str | None, order: Order = no_order) -> list[str]:
    """Return the keys of an entry in canonical order; those of a Value if it has no kind."""
    given = list(keys)
    first = _VALUE_ORDER if kind is None else (*_FIRST, *order(kind))
    last = () if kind is None else _LAST
    head = [key for key in dict.fromkeys(first) if key in given and key not in last]
    foot = [key for key in last if key in given]
    known = {*head, *foot}
    return [*head, *(key for key in given if key not in known), *foot]


def derive_named(sort: str, namespace: str, name: str | None) -> UUID:
    """Return the id of a named entry by its name; a new one for an entry without a name."""
    return names.named_id(sort, namespace, name) if name is not None else names.new_id()


def spec_of(
    data: dict[str, Any],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    derive: Derive = derive_named,
    places: Callable[[Path], Place] | None = None,
    label: str = "",
    revision: int = 0,
) -> tuple[Spec | None, list[Problem]]:
    """Return the Spec that the entry says; None with every Problem if it cannot be one.

    `label` is what to call it in Problems as long as its name is not known.
    """
    spec, problems = invalid_spec_of(
        data, namespace=namespace, derive=derive, places=places, label=label, revision=revision
    )
    return (None if problems else spec), problems


def invalid_spec_of(
    data: dict[str, Any],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    derive: Derive = derive_named,
    places: Callable[[Path], Place] | None = None,
    label: str = "",
    revision: int = 0,
) -> tuple[Spec | None, list[Problem]]:
    """As `spec_of`, but with the Spec as far as it can be read: None only without a kind.

    Where there are Problems it is good for nothing but looking for more of them: a link that cannot
    be read leads nowhere, an entry of `env` that cannot be read is an empty Binding.
    """
    check = _Check(data, places, label)
    fields = data.copy()
    kind = fields.pop("kind", None)
    legal = type(kind) is str and kind != "" and _plain(kind)
    if not legal:
        check.kind(kind)
    space = fields.pop("namespace", None)
    if space is None:
        space = namespace
    elif type(space) is not str or not names.legal_namespace(space):
        check.legal("namespace", space, names.NAMESPACE_RULE)
        space = namespace
    name = fields.pop("name", None)
    if name is not None and (type(name) is not str or not names.legal_name(name)):
        check.legal("name", name, names.NAME_RULE)
        name = name if type(name) is str and name else None
    id_ = check.id(fields.pop("id", None), ("id",))
    annotations = check.annotations(fields.pop("annotations", None))
    env = fields.pop("env", None)
    bindings = check.env(env) if env is not None else _EMPTY
    ports = fields.pop("ports", None)
    links = check.ports(ports) if ports is not None else _EMPTY
    if not legal:
        return None, check.problems
    spec = Spec(
        id=id_ if id_ is not None else derive("spec", space, name),
        kind=str(kind),
        namespace=space,
        name=name,
        annotations=annotations,
        env=bindings,
        ports=links,
        fields=fields,
        revision=revision,
        places=places,
        short_links=frozenset(check.short_links),
    )
    return spec, check.problems


def value_of(
    data: dict[str, Any],
    *,
    namespace: str = DEFAULT_NAMESPACE,
    derive: Derive = derive_named,
    places: Callable[[Path], Place] | None = None,
    label: str = "",
    revision: int = 0,
) -> tuple[Value | None, list[Problem]]:
    """Return the Value that the entry says; None with every Problem if it cannot be one."""
    check = _Check(data, places, label)
    for key in data:
        if key not in VALUE_FIELDS:
            hint = did_you_mean(key, VALUE_FIELDS) or "A Spec needs `kind`"
            expected = ", ".join(VALUE_FIELDS)
            check.problem((key,), "unknown-field", f'a Value has no field "{key}"', expected, hint)
    source = check.source_of(data)
    space = data.get("namespace")
    if space is None:
        space = namespace
    elif type(space) is not str or not names.legal_namespace(space):
        check.legal("namespace", space, names.NAMESPACE_RULE)
    name = data.get("name")
    if name is not None and (type(name) is not str or not names.legal_name(name)):
        check.legal("name", name, names.NAME_RULE)
    id_ = check.id(data.get("id"), ("id",))
    annotations = check.annotations(data.get("annotations"))
    secret = data.get("secret", "sealed" in data)
    if type(secret) is not bool:
        check.type(("secret",), secret, "true or false")
    elif "sealed" in data and not secret:
        hint = "Leave it out: what is sealed is secret"
        check.problem(("secret",), "sealed", "a sealed Value that is not a secret", hint=hint)
    if check.problems:
        return None, check.problems
    value = Value(
        id=id_ if id_ is not None else derive("value", space, name),
        namespace=space,
        name=name,
        annotations=annotations,
        data=data.get("data"),
        sealed=data.get("sealed", ""),
        source=source,
        secret=secret,
        revision=revision,
        places=places,
    )
    return value, check.problems


def bindings_of(
    env: Any, *, places: Callable[[Path], Place] | None = None, label: str = ""
) -> tuple[Mapping[str, Binding], list[Problem]]:
    """Return the bindings under an `env:`; the paths of its Problems start with `env`."""
    check = _Check({}, places, label)
    return check.env(env), check.problems


def data_of(resource: Spec | Value, *, namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
    """Return the entry that says this Spec or Value: plain data, without what is empty or default.

    An id stands in it only if its name does not lead to the same id again, and a namespace
    where it is not this one. Reading it back gives an equal resource.
    """
    entry: dict[str, Any] = {}
    sort = "spec" if isinstance(resource, Spec) else "value"
    name = resource.name
    if name is None or names.named_id(sort, resource.namespace, name) != resource.id:
        entry["id"] = str(resource.id)
    if isinstance(resource, Spec):
        entry["kind"] = resource.kind
    if resource.namespace != namespace:
        entry["namespace"] = resource.namespace
    if name is not None:
        entry["name"] = name
    if resource.annotations:
        entry["annotations"] = dict(resource.annotations)
    if isinstance(resource, Value):
        return entry | _data_entry(resource)
    entry.update(resource.fields)
    if resource.env:
        entry["env"] = {key: _binding_data(binding) for key, binding in resource.env.items()}
    if resource.ports:
        entry["ports"] = {
            port: [_link_data(link) for link in links] for port, links in resource.ports.items()
        }
    return entry


def shown_of(resource: Spec | Value, *, namespace: str = DEFAULT_NAMESPACE) -> dict[str, Any]:
    """As `data_of`, for people to see: a secret that stands in clear is masked, to its last part."""
    entry = data_of(resource, namespace=namespace)
    if isinstance(resource, Value) and resource.secret and resource.plain:
        entry["data"] = covered(resource.data)
    return entry


def _data_entry(value: Value) -> dict[str, Any]:
    """Return what the entry of a Value says of its data."""
    data: dict[str, Any] = {"data": value.data}
    if value.sealed:
        data = {"sealed": value.sealed}
    elif value.source is not None:
        data = {"from": msgspec.to_builtins(value.source)}
    return data | {"secret": True} if value.secret else data


def _binding_data(binding: Binding) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if binding.id is not None:
        entry["id"] = str(binding.id)
    if binding.name is not None:
        entry["name"] = binding.name
    if binding.data is not msgspec.UNSET:
        entry["data"] = binding.data
    return entry


def _link_data(link: Link) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    if link.id is not None:
        entry["id"] = str(link.id)
    if link.name is not None:
        entry["name"] = link.name
    entry["port"] = link.port
    return entry


def _fits(field: str, text: str) -> bool:
    """Return whether a text can be the name of a variable, or the path of a file."""
    return bool(text) and "\0" not in text and (field == "file" or "=" not in text)


def _plain(kind: str) -> bool:
    return kind.isprintable() and " " not in kind and "{{" not in kind


class _Check:
    """Reads the common fields of one entry and collects what is wrong with them."""

    __slots__ = ("data", "label", "places", "problems", "short_links")

    def __init__(
        self, data: Mapping[str, Any], places: Callable[[Path], Place] | None, label: str
    ) -> None:
        self.data = data
        self.places = places
        self.label = label
        self.problems: list[Problem] = []
        self.short_links: set[tuple[str, int]] = set()

    def problem(
        self, path: Path, code: str, actual: str, expected: str = "", hint: str = ""
    ) -> None:
        """Note one thing wrong at this path."""
        name = self.data.get("name")
        label = (
            name if isinstance(name, str) and name else self.label or str(self.data.get("kind", ""))
        )
        self.problems.append(
            Problem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                path=dotted(label, path),
                place=self.places(path) if self.places is not None else NOWHERE,
            )
        )

    def type(self, path: Path, value: Any, expected: str, hint: str = "") -> None:
        """Note a value of the wrong type."""
        self.problem(path, "type", describe_type(value), expected, hint)

    def kind(self, kind: Any) -> None:
        """Note what is wrong with a kind."""
        if kind is None:
            self.problem(("kind",), "missing", "no kind", "kind: what node this is")
        elif type(kind) is str and "{{" in kind:
            self.problem(("kind",), "blank", f'a blank in the kind "{kind}"', "the kind itself")
        else:
            self.type(("kind",), kind, "the name of a kind")

    def legal(self, field: str, value: Any, rule: str) -> None:
        """Note what is wrong with a name or a namespace."""
        if type(value) is str:
            blank = "Blanks are not filled here" if "{{" in value else ""
            self.problem((field,), "name", describe_type(value), rule, blank)
        else:
            quoted = type(value) in (int, float, bool)
            hint = f'Put it in quotes: "{str(value).lower()}"' if quoted else ""
            self.type((field,), value, "text", hint)

    def id(self, value: Any, path: Path) -> UUID | None:
        """Return the id written here; None if none is, or where it is not an id."""
        if value is None:
            return None
        id_ = names.parse_id(value) if type(value) is str else None
        if id_ is None:
            hint = "Leave it out: a name is enough" if path == ("id",) else ""
            self.type(path, value, "a UUID such as 01890a5d-ac96-774b-bcce-b302099a8057", hint)
        return id_

    def annotations(self, value: Any) -> Mapping[str, str]:
        """Annotations, scalars as the text they are."""
        if value is None:
            return _EMPTY
        if type(value) is not dict:
            self.type(("annotations",), value, "a mapping of text to text")
            return _EMPTY
        result: dict[str, str] = {}
        for key, text in value.items():
            if type(text) is str:
                result[key] = text
            elif type(text) in (bool, int, float):
                result[key] = str(text).lower()
            else:
                self.type(("annotations", key), text, "text")
        return result

    # --- the data of a Value ---

    def source_of(self, entry: dict[str, Any]) -> ValueSource | None:
        """Exactly one of the ways to say the data of a Value; its ValueSource, if it says one."""
        ways = [field for field in DATA_FIELDS if field in entry]
        if not ways:
            expected = "data: what it holds"
            self.problem((), "missing", "a Value without `data`, `sealed` or `from`", expected)
        if len(ways) > 1:
            actual = f"a Value with both `{ways[0]}` and `{ways[1]}`"
            self.problem((ways[1],), "twice", actual, "one of data, sealed and from")
        if "sealed" in entry:
            self.sealed(entry["sealed"])
        return self.source(entry["from"]) if "from" in entry else None

    def sealed(self, value: Any) -> None:
        """Check a sealed text; it may be a secret by mistake, so it is not repeated."""
        if type(value) is not str or not sealed_by(value):
            hint = "To hold what is not sealed, write `data`; `heddle value seal` seals"
            expected = f"{SEAL_PREFIX}:… as heddle writes it"
            self.problem(("sealed",), "sealed", "this is not sealed text", expected, hint)

    def source(self, value: Any) -> ValueSource | None:
        """Return where a Value comes from."""
        path: Path = ("from",)
        if type(value) is not dict:
            name = value if type(value) is str and value else "NAME"
            self.type(path, value, "{env: NAME} or {file: PATH}", f"Write from: {{env: {name}}}")
            return None
        before = len(self.problems)
        self.unknown(path, value, _SOURCE_FIELDS, "`from`")
        env, file, form = value.get("env", ""), value.get("file", ""), value.get("format", "text")
        for field, text, expected in (
            ("env", env, "the name of a variable"),
            ("file", file, "the path of a file"),
        ):
            if type(text) is not str or (field in value and not _fits(field, text)):
                self.type((*path, field), text, expected)
        if form not in FORMATS or type(form) is not str:
            near = did_you_mean(form, FORMATS) if type(form) is str else ""
            self.type((*path, "format"), form, f"one of {', '.join(FORMATS)}", near)
        if ("env" in value) == ("file" in value):
            actual = "both env and file" if "env" in value else "neither env nor file"
            self.problem(path, "missing", actual, "{env: NAME} or {file: PATH}")
        return ValueSource(env, file, form) if len(self.problems) == before else None

    # --- env ---

    def env(self, value: Any) -> Mapping[str, Binding]:
        """Return what the keys of `env` ask for."""
        if value is None:
            return _EMPTY
        if type(value) is not dict:
            self.type(("env",), value, "a mapping such as {PORT: {data: 8000}}")
            return {"": Binding()}
        result: dict[str, Binding] = {}
        for key, entry in value.items():
            if not names.legal_key(key):
                self.problem(("env", key), "name", f'the key "{key}"', names.KEY_RULE)
            binding = self.binding(("env", key), entry)
            result[key] = binding if binding is not None else Binding()
        return result

    def binding(self, path: Path, entry: Any) -> Binding | None:
        """Return one entry of `env`; a list of one is that one."""
        if type(entry) is list and len(entry) == 1:
            path, entry = (*path, 0), entry[0]
        if type(entry) is not dict:
            hint = (
                "" if type(entry) is list else f"Write {path[-1]}: {{data: …}} to give it a value"
            )
            self.type(path, entry, "{data: …}, {name: …} or {id: …}", hint)
            return None
        self.unknown(path, entry, _BINDING_FIELDS, "an entry of env")
        id_ = self.id(entry.get("id"), (*path, "id"))
        name = entry.get("name")
        if name is not None and type(name) is not str:
            self.type((*path, "name"), name, "the name of a Value")
            return None
        if not entry:
            self.problem(path, "missing", "an empty entry", "data, name or id")
        return Binding(id_, name, entry.get("data", msgspec.UNSET))

    # --- ports ---

    def ports(self, value: Any) -> Mapping[str, tuple[Link, ...]]:
        """Return where the out ports lead."""
        if type(value) is not dict:
            self.type(("ports",), value, "a mapping such as {out: next}")
            return _EMPTY
        result: dict[str, tuple[Link, ...]] = {}
        for port, links in value.items():
            if type(links) is list:
                result[port] = tuple(
                    [self.link(("ports", port, number), link) for number, link in enumerate(links)]
                )
            elif links is None:
                result[port] = ()
            else:
                result[port] = (self.link(("ports", port), links),)
        return result

    def link(self, path: Path, entry: Any) -> Link:
        """Return one link; if something is wrong with it, note a Problem, and let it lead nowhere."""
        if type(entry) is dict:
            name, port = entry.get("name"), entry.get("port", "in")
            plain = type(name) is str and name and type(port) is str and port
            if plain and len(entry) == 1 + ("port" in entry):
                return Link(name, None, port)
            return self.odd_link(path, entry)
        if type(entry) is str and entry:
            if names_port(entry):
                self.short_links.add((str(path[1]), int(path[2]) if len(path) > 2 else 0))
            return parse_target(entry)
        self.type(path, entry, "the name of a node, or {name: …, port: …}")
        return Link()

    def odd_link(self, path: Path, entry: dict[str, Any]) -> Link:
        """Return a link with an id, or with something wrong."""
        before = len(self.problems)
        self.unknown(path, entry, _LINK_FIELDS, "a link")
        id_ = self.id(entry.get("id"), (*path, "id"))
        name, port = entry.get("name"), entry.get("port", "in")
        if name is not None and (type(name) is not str or not name):
            self.type((*path, "name"), name, "the name of a Spec")
        if type(port) is not str or not port:
            self.type((*path, "port"), port, "the name of an in port, such as in")
        if name is None and entry.get("id") is None:
            self.problem(path, "missing", "a link without a target", "name or id of a Spec")
        return Link(name, id_, port) if len(self.problems) == before else Link()

    def unknown(
        self, path: Path, entry: dict[str, Any], known: tuple[str, ...], subject: str
    ) -> None:
        """Note the keys that do not belong here."""
        for key in entry:
            if key not in known:
                expected = ", ".join(known)
                hint = did_you_mean(key, known)
                self.problem(
                    (*path, key), "unknown-field", f'{subject} has no field "{key}"', expected, hint
                )
