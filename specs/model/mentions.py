"""Mentions are the texts by which a Spec may name others: targets of links, Values, what it uses.

A store keeps them in an index, so that whoever is linked to a node is found without reading all
Specs. It knows no kinds, so any short text counts: more may be found than is linked, never less.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from heddle.specs.model.names import MAX_NAME
from heddle.specs.model.spec import Spec

BLANK: Final = "{{"
"""Before the name of a kind: what its Specs with blanks mention, as nobody knows what those become."""


def mentions_of(spec: Spec) -> set[str]:
    """Return every text by which a Spec may name another, ids in their canonical form.

    `outer/inner`, the name of a node that another holds, is a mention of `outer` as well.
    """
    found = targets_of(spec)
    for binding in spec.env.values():
        found |= {str(one) for one in (binding.id, binding.name) if one is not None}
        if binding.data is not msgspec.UNSET:
            found.update(_texts(binding.data))
    blank = False
    for text in _texts(spec.fields):
        blank = blank or BLANK in text
        if len(text) <= MAX_NAME:
            found.add(text)
    if blank:
        found.add(BLANK + spec.kind)
    return with_holders(found)


def targets_of(spec: Spec) -> set[str]:
    """Return what the links under `ports` name their targets by."""
    return {
        str(link.id) if link.id is not None else link.name or ""
        for links in spec.ports.values()
        for link in links
    }


def needs_of(spec: Spec) -> set[str]:
    """Return the ids and names of the Values and definitions that a Spec is made with."""
    found = {
        str(one)
        for binding in spec.env.values()
        for one in (binding.id, binding.name)
        if one is not None
    }
    _need(spec.fields, found)
    return found


def with_holders(words: Iterable[str]) -> set[str]:
    """Return these texts, and for each `outer/inner` the name of the Spec that holds it."""
    found = set(words)
    return found | {word.partition("/")[0] for word in found if "/" in word}


def _need(data: Any, found: set[str]) -> None:
    """Add what Specs inside of fields are made with."""
    if isinstance(data, list):
        for each in data:
            _need(each, found)
    elif isinstance(data, dict):
        uses, env = data.get("uses"), data.get("env")
        if isinstance(uses, str):
            found.add(uses)
        for binding in env.values() if isinstance(env, dict) else ():
            if isinstance(binding, dict):
                found.update(str(binding[key]) for key in ("id", "name") if binding.get(key))
        for each in data.values():
            _need(each, found)


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for each in data.values():
            yield from _texts(each)
    elif isinstance(data, list):
        for each in data:
            yield from _texts(each)
