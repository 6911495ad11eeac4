"""Components of an OpenAPI document: schemas that others name, each once under a name of its own."""

import re
from typing import Any, Final

from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.extensions.net.validation.references import SchemaFileError, SchemaFiles

_LEFT_OUT: Final = frozenset({"$defs", "definitions", "$id", "$schema", "$anchor"})
_PREFIX: Final = "#/components/schemas/"
_MAPS: Final = frozenset({"properties", "patternProperties", "dependentSchemas"})
_DATA: Final = frozenset({"const", "default", "enum", "examples", "example"})


class SchemaComponents:
    """Gathers the schemas that references name, and rewrites the references."""

    def __init__(self) -> None:
        self.schemas: dict[str, Any] = {}
        self._names: dict[tuple[int, str], str] = {}
        self._keep: list[Any] = []

    def embed(self, schema: Any, files: SchemaFiles) -> Any:
        """Return a schema as it can stand in the document; ValueError if one that it names cannot be had."""
        resource = DRAFT202012.create_resource(schema)
        resolver = files.registry.with_resource(files.base, resource).resolver(files.base)
        return self._rewritten(schema, resolver)

    def _rewritten(self, schema: Any, resolver: Any) -> Any:
        if not isinstance(schema, dict):
            return schema
        made: dict[str, Any] = {}
        for word, value in schema.items():
            if word in _LEFT_OUT:
                continue
            if word == "$ref" and isinstance(value, str):
                made[word] = self._named(value, resolver)
            elif word in _DATA:
                made[word] = value
            elif word in _MAPS and isinstance(value, dict):
                made[word] = {
                    name: self._rewritten(inner, resolver) for name, inner in value.items()
                }
            elif isinstance(value, list):
                made[word] = [self._rewritten(each, resolver) for each in value]
            else:
                made[word] = self._rewritten(value, resolver)
        return made

    def _named(self, reference: str, resolver: Any) -> str:
        """Return the reference to the component that holds what a reference names."""
        try:
            place = resolver.lookup(reference)
        except (Unresolvable, SchemaFileError) as error:
            raise ValueError(f'the reference "{reference}" leads nowhere') from error
        key = (id(place.contents), reference.rpartition("/")[2])
        name = self._names.get(key)
        if name is None:
            name = self._names[key] = self._free_name(key[1])
            self._keep.append(place.contents)
            # First the name: a schema may name itself.
            self.schemas[name] = {}
            self.schemas[name] = self._rewritten(place.contents, place.resolver)
        return _PREFIX + name

    def _free_name(self, text: str) -> str:
        """Return a name for a component that no other has."""
        base = re.sub(r"[^A-Za-z0-9._-]", "_", text.removesuffix(".json")) or "schema"
        name, number = base, 2
        while name in self.schemas:
            name, number = f"{base}_{number}", number + 1
        return name
