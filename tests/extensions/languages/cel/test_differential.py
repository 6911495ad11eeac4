"""Thousands of random texts give what another implementation of CEL makes of them."""

from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from tests.extensions.languages.cel.oracle import PAYLOAD, Texts, oracle, ours

TEXTS_A_SEED = 400


@pytest.mark.parametrize("seed", range(8))
def test_random_texts_agree_with_another_implementation(seed: int) -> None:
    texts = Texts(seed)
    differ = []
    for _ in range(TEXTS_A_SEED):
        text = texts.text()
        wanted = oracle(text)
        found = _found(text)
        if wanted == ("error",) and "string(" in text:
            continue  # string() takes lists and maps here, and gives JSON.
        if found != wanted:
            differ.append((text, wanted, found))
    assert not differ, "\n".join(map(str, differ[:5]))


def _found(text: str) -> Any:
    try:
        return ours(compile_condition(text)(PAYLOAD))
    except EvaluationError as error:
        return ("error",) if error.line == 1 else ("error without a place", str(error))


@pytest.mark.parametrize("seed", range(100, 102))
def test_results_of_random_texts_are_plain_data(seed: int) -> None:
    texts = Texts(seed)
    for _ in range(TEXTS_A_SEED):
        text = texts.text()
        try:
            result = compile_program(text)(PAYLOAD)
        except EvaluationError:
            continue
        assert _is_plain(result), (text, result)


def _is_plain(value: object) -> bool:
    if type(value) is list:
        return all(map(_is_plain, value))
    if type(value) is dict:
        return all(_is_plain(key) and _is_plain(item) for key, item in value.items())
    return value is None or type(value) in (bool, int, float, str, bytes)
