"""A comparison of types is right for every pair of schemas, or says that it does not know."""

import copy
import random
import time
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from tests.schemas.types.random_schemas import has_empty, random_document, random_instance

PAIRS = 2000
"""Pairs of each of the seeds; four seeds."""


def changed(source: random.Random, schema: Any) -> Any:
    """Return a copy of a schema with one keyword less: close enough to fit often."""
    copied = copy.deepcopy(schema)
    if isinstance(copied, dict) and copied:
        word = source.choice(list(copied))
        if word not in ("$defs", "$ref"):
            del copied[word]
    return copied


def disprove(fit: Fit, instance: Any, valid: bool) -> bool:
    """Return whether a valid instance of the source contradicts the result."""
    if fit is Fit.FITS:
        return not valid
    if fit is Fit.UNFIT:
        return valid
    return fit is Fit.EMPTY and valid and not has_empty(instance)


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_no_instance_contradicts_a_comparison(seed: int) -> None:
    source = random.Random(seed)
    results: dict[Fit, int] = dict.fromkeys(Fit, 0)
    tried = 0
    for _ in range(PAIRS):
        given = random_document(source)
        wanted = random_document(source) if source.random() < 0.6 else changed(source, given)
        fit = compare_types(given, wanted)
        results[fit] += 1
        is_instance = Draft202012Validator(given).is_valid
        for _ in range(8):
            instance = random_instance(source, given, given)
            if is_instance(instance):
                tried += 1
                valid = Draft202012Validator(wanted).is_valid(instance)
                assert not disprove(fit, instance, valid), (fit, given, wanted, instance)
    assert tried > 2 * PAIRS
    assert all(
        results[fit] > PAIRS * share for fit, share in {Fit.FITS: 0.2, Fit.UNFIT: 0.2}.items()
    )
    assert results[Fit.UNKNOWN] < 0.2 * PAIRS


def test_every_type_fits_itself() -> None:
    source = random.Random(5)
    for _ in range(500):
        schema = random_document(source)
        assert compare_types(schema, copy.deepcopy(schema)) is Fit.FITS


class Order(msgspec.Struct):
    net: float
    tags: list[str] = []


class Node(msgspec.Struct):
    value: int
    next: "Node | None" = None


class TextNode(msgspec.Struct):
    value: str
    next: "TextNode | None" = None


class Cat(msgspec.Struct, tag=True):
    name: str


class Dog(msgspec.Struct, tag=True):
    name: str


@pytest.mark.parametrize(
    ("source", "target", "fit"),
    [
        (int, float, Fit.FITS),
        (float, int, Fit.UNKNOWN),
        (bool, int, Fit.UNFIT),
        (str, int, Fit.UNFIT),
        (int, int | None, Fit.FITS),
        (int | None, int, Fit.UNKNOWN),
        (None, int, Fit.UNFIT),
        (list[int], list[float], Fit.FITS),
        (list[str], list[int], Fit.EMPTY),
        (dict[str, int], dict[str, str], Fit.EMPTY),
        (dict[str, int], Order, Fit.UNKNOWN),
        (Order, Order, Fit.FITS),
        (list[Order], Order, Fit.UNFIT),
        (tuple[int, str], tuple[int, int], Fit.UNFIT),
        (tuple[int, int], list[int], Fit.FITS),
        (Node, Node, Fit.FITS),
        (Node, TextNode, Fit.UNFIT),
        (Cat, Cat | Dog, Fit.FITS),
        (Cat | Dog, Cat, Fit.UNKNOWN),
        (Cat, Dog, Fit.UNFIT),
        (set[int], list[int], Fit.FITS),
        (list[int], set[int], Fit.UNKNOWN),
        (bytes, str, Fit.UNKNOWN),
    ],
)
def test_hints_compare_as_their_authors_expect(source: Any, target: Any, fit: Fit) -> None:
    assert compare_types(msgspec.json.schema(source), msgspec.json.schema(target)) is fit
    assert fit.fails == (fit in (Fit.UNFIT, Fit.EMPTY))


@pytest.mark.parametrize(
    "odd",
    [
        {"type": "nonsense"},
        {"type": "integer", "minimum": "one"},
        {"type": "array", "items": [{"type": "integer"}]},
        {"type": "object", "required": 5},
        {"$ref": "https://example.com/other.json"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}]},
        {"allOf": 3},
        {"if": {"type": "integer"}, "then": {"minimum": 3}},
        None,
        5,
    ],
)
def test_nothing_is_claimed_to_fit_an_odd_schema(odd: Any) -> None:
    assert compare_types({"type": ["integer", "array", "object"]}, odd) is Fit.UNKNOWN
    assert compare_types(odd, {"type": ["string", "array", "object"], "maxLength": 9}) in (
        Fit.UNKNOWN,
        Fit.UNFIT,
    )


def test_true_is_not_the_constant_one() -> None:
    assert compare_types({"const": 1}, {"const": True}) is Fit.UNFIT
    assert compare_types({"const": 1}, {"const": 1.0}) is Fit.FITS
    assert compare_types({"type": "boolean"}, {"enum": [True, False]}) is Fit.FITS


def test_a_schema_that_doubles_at_every_level_does_not_hold_up_check() -> None:
    wide: dict[str, Any] = {"type": "integer"}
    other: dict[str, Any] = {"type": "number"}
    for _ in range(30):
        wide = {"type": "object", "properties": {"a": wide, "b": wide}, "required": ["a", "b"]}
        other = {"type": "object", "properties": {"a": other, "b": other}, "required": ["a", "b"]}
    began = time.process_time()
    assert compare_types(wide, {**other, "title": "other"}) is Fit.UNKNOWN
    assert time.process_time() - began < 30  # without a limit it is 2**30 comparisons
