"""Mentions are the texts by which a Spec may name others: targets of links, Values, what it uses.

A store keeps them in an index, so that whoever is linked to a node is found without reading all
Specs. It knows no kinds, so any short text counts: more may be found than is linked, never less.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from heddle.schemas.link import names_port, parse_target
from heddle.specs.model.names import MAX_NAME
from heddle.specs.model.spec import Spec

_ENDS: Final = (".in", "]")
"""The ends of texts that name a port."""

BLANK: Final = "{{"
"""Before the name of a kind: what its Specs with blanks mention, as nobody knows what those become."""


def mentions_of(spec: Spec) -> set[str]:
    """Return every text by which a Spec may name another, ids in their canonical form.

    `outer/inner`, the name of a node that another holds, is a mention of `outer` as well, and
    `node.in[1]`, as fields may say it, of `node`.
    """
    texts = targets_of(spec)
    for binding in spec.env.values():
        texts |= {
            str(reference) for reference in (binding.id, binding.name) if reference is not None
        }
        if binding.data is not msgspec.UNSET:
            texts.update(_texts(binding.data))
    blank = False
    for text in _texts(spec.fields):
        blank = blank or BLANK in text
        if len(text) <= MAX_NAME:
            texts.add(text)
        if text.endswith(_ENDS) and names_port(text):
            texts.add(parse_target(text).target)
    if blank:
        texts.add(BLANK + spec.kind)
    return with_holders(texts)


def targets_of(spec: Spec) -> set[str]:
    """Return what the links under `ports` name their targets by; both names if a text has two readings."""
    texts = {
        str(link.id) if link.id is not None else link.name or ""
        for links in spec.ports.values()
        for link in links
    }
    for port, index in spec.short_links:
        link = spec.ports[port][index]
        texts.add(f"{link.name}.{link.port}")
    return texts


def needs_of(spec: Spec) -> set[str]:
    """Return the ids and names of the Values and definitions that a Spec is made with."""
    texts = {
        str(reference)
        for binding in spec.env.values()
        for reference in (binding.id, binding.name)
        if reference is not None
    }
    _need(spec.fields, texts)
    return texts


def with_holders(words: Iterable[str]) -> set[str]:
    """Return these texts, and for each `outer/inner` the name of the Spec that holds it."""
    texts = set(words)
    return texts | {word.partition("/")[0] for word in texts if "/" in word}


def _need(data: Any, texts: set[str]) -> None:
    """Add what Specs inside of fields are made with."""
    if isinstance(data, list):
        for each in data:
            _need(each, texts)
    elif isinstance(data, dict):
        uses, env = data.get("uses"), data.get("env")
        if isinstance(uses, str):
            texts.add(uses)
        for binding in env.values() if isinstance(env, dict) else ():
            if isinstance(binding, dict):
                texts.update(str(binding[key]) for key in ("id", "name") if binding.get(key))
        for each in data.values():
            _need(each, texts)


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, dict):
        for each in data.values():
            yield from _texts(each)
    elif isinstance(data, list):
        for each in data:
            yield from _texts(each)
