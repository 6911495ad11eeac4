"""Does data of one type fit another? A comparison of two JSON Schemas: yes, no, or unknown.

    compare_types({"type": "integer"}, {"type": "number"})          # Fit.FITS
    compare_types({"type": "number"}, {"type": "integer"})          # Fit.UNKNOWN
    compare_types({"type": "string"}, {"type": "integer"})          # Fit.UNFIT

The compiler of workflows asks it for every dataflow, and `heddle check` for every link. Its laws,
for instances as JSON Schema (2020-12) validates them, without assertions of `format`:

* `FITS`: every instance of the source is valid for the target.
* `UNFIT`: no instance of the source is valid for the target.
* `EMPTY`: no instance of the source is valid, but for those that hold an empty list or map:
  a list of texts fits a list of numbers only as long as it is empty.
* `UNKNOWN`: everything else. Only such data have to be converted at run time.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from heddle.schemas.types.alternatives import (
    Alternative,
    Alternatives,
    JsonSchema,
    OneValue,
    alternatives_of,
    equal,
    type_of,
)
from heddle.schemas.types.fit import Fit, by_any, for_all, for_any, for_every
from heddle.schemas.types.scalar_rules import (
    Rule,
    Span,
    judge_number,
    judge_string,
    relate_numbers,
    relate_strings,
    span_of,
)

_STEPS = 20_000
"""Comparisons of parts for one comparison; a schema that asks for more is UNKNOWN."""

_DEEPEST = 24


def compare_types(source: JsonSchema, target: JsonSchema) -> Fit:
    """Return how data that follow the source suit a place that accepts the target.

    Both are whole JSON Schemas, with their own `$defs`. Neither is changed, and no schema makes it
    raise: what it does not understand is UNKNOWN. The time is bounded, whatever the schemas say.
    Neither may change later: results are kept.
    """
    if target is True or target == {} or source is target:
        return Fit.FITS
    if source is True or source == {}:
        return Fit.UNFIT if target is False else Fit.UNKNOWN
    pair = (id(source), id(target))
    kept = _results.get(pair)
    if kept is not None and kept[0] is source and kept[1] is target:
        return kept[2]
    fit = Fit.FITS
    if not equal(source, target):
        fit = _Comparison(source, target).relate(source, target, 0)
    if len(_results) >= _MOST_RESULTS:
        _results.clear()
    _results[pair] = (source, target, fit)
    return fit


_results: dict[tuple[int, int], tuple[Any, Any, Fit]] = {}
"""The latest comparisons: many tasks are done by the same function. The schemas are kept with them."""

_MOST_RESULTS = 4096


class _Comparison:
    """One comparison: what the parts of two documents have been written as, and what is under way."""

    def __init__(self, source: JsonSchema, target: JsonSchema) -> None:
        self._source, self._target = alternatives_of(source), alternatives_of(target)
        self._open: set[tuple[int, int]] = set()
        self._steps = _STEPS

    def relate(self, source: Any, target: Any, depth: int) -> Fit:
        """Return the fit of two parts."""
        if target is True or target == {}:
            return Fit.FITS
        self._steps -= 1
        if self._steps < 0 or depth > _DEEPEST:
            return Fit.UNKNOWN
        pair = (id(source), id(target))
        if pair in self._open:
            # A type that holds itself: it fits if everything around it does.
            return Fit.FITS
        self._open.add(pair)
        try:
            return for_every(
                for_any(self._pair(alternative, other, depth) for other in self._target.of(target))
                for alternative in self._source.of(source)
            )
        finally:
            self._open.discard(pair)

    def _pair(self, source: Alternative, target: Alternative, depth: int) -> Fit:
        """Return the fit of two alternatives."""
        try:
            fit = self._known(source, target, depth)
        except (TypeError, ValueError, AttributeError, KeyError, IndexError, OverflowError):
            # The schema itself is malformed; whoever validates with it says how.
            return Fit.UNKNOWN
        return Fit.UNKNOWN if fit is Fit.FITS and not target.exact else fit

    def _known(self, source: Alternative, target: Alternative, depth: int) -> Fit:
        if isinstance(source, OneValue):
            return _verdict(self._judge(source.value, target, self._target, depth))
        if isinstance(target, OneValue):
            possible = self._judge(target.value, source, self._source, depth)
            return Fit.UNFIT if possible is False else Fit.UNKNOWN
        if source.type != target.type:
            return Fit.UNFIT
        return for_all(
            by_any(self._rules(source.type, rule, other, depth) for rule in source.rules or ({},))
            for other in target.rules
        )

    def _rules(self, type_name: str, source: Rule, target: Rule, depth: int) -> Fit:
        match type_name:
            case "number":
                return relate_numbers(source, target)
            case "string":
                return relate_strings(source, target)
            case "array":
                return self._arrays(source, target, depth)
            case _:
                return self._objects(source, target, depth)

    def _arrays(self, source: Rule, target: Rule, depth: int) -> Fit:
        """Return the fit of two arrays: their lengths, then item by item."""
        span, target_span = _items_span(source), _items_span(target)
        lengths = span.relate(target_span)
        if lengths is Fit.UNFIT:
            return lengths
        explicit = max(len(_prefix(source)), len(_prefix(target)))
        count = explicit + 1 if span.most is None else min(explicit + 1, span.most)
        fits = [self.relate(_item(source, at), _item(target, at), depth + 1) for at in range(count)]
        failed = [fit for fit in fits[: max(span.least, 1)] if fit.fails]
        if failed:
            certain = span.least > 0 and any(fit is Fit.UNFIT for fit in fits[: span.least])
            return Fit.UNFIT if certain else Fit.EMPTY
        distinct = not target.get("uniqueItems") or bool(source.get("uniqueItems"))
        if all(fit is Fit.FITS for fit in fits) and distinct:
            return lengths
        return Fit.UNKNOWN

    def _objects(self, source: Rule, target: Rule, depth: int) -> Fit:
        """Return the fit of two objects: their required properties, then each property."""
        counts = _entries_span(source).relate(_entries_span(target))
        if counts is Fit.UNFIT:
            return counts
        always, needed = _required(source), _required(target)
        fits = {
            name: self._property(source, target, name, depth)
            for name in dict.fromkeys(
                [*_properties(source), *_properties(target), *needed, *always]
            )
        }
        certain = [fits[name] for name in fits if name in always or name in needed]
        if Fit.UNFIT in certain:
            return Fit.UNFIT
        if Fit.EMPTY in certain:
            return Fit.EMPTY
        rest = self._rest(source, target, depth)
        if not _properties(source) and rest.fails and all(fit.fails for fit in fits.values()):
            return Fit.EMPTY
        named = "patternProperties" not in target and _names_fit(source, target)
        complete = named and needed <= always and rest is Fit.FITS
        if complete and all(fit is Fit.FITS for fit in fits.values()):
            return counts
        return Fit.UNKNOWN

    def _property(self, source: Rule, target: Rule, name: str, depth: int) -> Fit:
        """Return the fit of one property; what the source never has fits, unless it is needed."""
        held = _value_of(source, name)
        if held is False:
            return Fit.UNFIT if name in _required(target) else Fit.FITS
        return self.relate(held, _value_of(target, name), depth + 1)

    def _rest(self, source: Rule, target: Rule, depth: int) -> Fit:
        """Return the fit of the properties that neither of the two names."""
        held = _additional(source)
        if held is False:
            return Fit.FITS
        return self.relate(held, _additional(target), depth + 1)

    def _judge(
        self, value: Any, alternative: Alternative, document: Alternatives, depth: int
    ) -> bool | None:
        """Return whether a value is valid for an alternative; None if that cannot be said."""
        if isinstance(alternative, OneValue):
            same = equal(value, alternative.value)
            return (True if alternative.exact else None) if same else False
        if alternative.type != type_of(value):
            return False
        judged = [
            self._judge_rule(value, alternative.type, rule, document, depth)
            for rule in alternative.rules
        ]
        return _together([*judged, True if alternative.exact else None])

    def _judge_rule(
        self, value: Any, type_name: str, rule: Rule, document: Alternatives, depth: int
    ) -> bool | None:
        match type_name:
            case "number":
                return judge_number(value, rule)
            case "string":
                return judge_string(value, rule)
            case "array":
                parts = [(item, _item(rule, at)) for at, item in enumerate(value)]
                distinct = None if rule.get("uniqueItems") and len(value) > 1 else True
                known = [_items_span(rule).holds(len(value)), distinct]
            case _:
                parts = [(item, _value_of(rule, str(name))) for name, item in value.items()]
                names = True if "propertyNames" not in rule else None
                open_names = None if "patternProperties" in rule else True
                needed = _required(rule) <= set(value)
                known = [needed, _entries_span(rule).holds(len(value)), names, open_names]
        return _together([*known, *(self._valid(*part, document, depth + 1) for part in parts)])

    def _valid(self, value: Any, schema: Any, document: Alternatives, depth: int) -> bool | None:
        """Return whether a value is valid for a part of a document."""
        self._steps -= 1
        if self._steps < 0 or depth > _DEEPEST:
            return None
        judged = [self._judge(value, each, document, depth) for each in document.of(schema)]
        if True in judged:
            return True
        return None if None in judged else False


def _verdict(valid: bool | None) -> Fit:
    if valid is None:
        return Fit.UNKNOWN
    return Fit.FITS if valid else Fit.UNFIT


def _together(judged: Iterable[bool | None]) -> bool | None:
    """Return whether all are true; False if one is false, else None if one is unknown."""
    seen = set(judged)
    if False in seen:
        return False
    return None if None in seen else True


def _prefix(rule: Rule) -> list[Any]:
    prefix = rule.get("prefixItems", [])
    if not isinstance(prefix, list):
        raise TypeError("prefixItems is not a list")
    return prefix


def _item(rule: Rule, at: int) -> Any:
    """Return the schema of the item at this place."""
    prefix = _prefix(rule)
    if at < len(prefix):
        return prefix[at]
    rest = rule.get("items", True)
    if isinstance(rest, list):
        raise TypeError("a list under `items` is of an older draft")
    return rest


def _items_span(rule: Rule) -> Span:
    span = span_of(rule, "minItems", "maxItems")
    if rule.get("items") is False:
        most = len(_prefix(rule))
        return Span(span.least, most if span.most is None else min(most, span.most))
    return span


def _properties(rule: Rule) -> Mapping[str, Any]:
    properties: Mapping[str, Any] = rule.get("properties", {})
    return properties


def _required(rule: Rule) -> frozenset[str]:
    return frozenset(rule.get("required", ()))


def _additional(rule: Rule) -> Any:
    """Return the schema of the properties that are not named; anything if patterns decide."""
    return True if "patternProperties" in rule else rule.get("additionalProperties", True)


def _value_of(rule: Rule, name: str) -> Any:
    properties = _properties(rule)
    return properties[name] if name in properties else _additional(rule)


def _names_fit(source: Rule, target: Rule) -> bool:
    names = target.get("propertyNames", True)
    return names is True or names == {} or equal(source.get("propertyNames"), names)


def _entries_span(rule: Rule) -> Span:
    """Return how many properties an object can have."""
    span = span_of(rule, "minProperties", "maxProperties")
    least = max(span.least, len(_required(rule)))
    if _additional(rule) is False:
        most = len(_properties(rule))
        return Span(least, most if span.most is None else min(most, span.most))
    return Span(least, span.most)
