"""The functions of optional values; `or`, `orValue`, `optMap` and `optFlatMap` are macros."""

from typing import Final

from heddle.extensions.languages.cel.library.function import Function
from heddle.extensions.languages.cel.optionals import (
    has_value,
    none,
    of,
    of_non_zero,
    value_of,
)

FUNCTIONS: Final = (
    Function(name="optional.of", run=of, arity=1, special=True),
    Function(name="optional.none", run=none, arity=0, special=True),
    Function(name="optional.ofNonZeroValue", run=of_non_zero, arity=1, special=True),
    Function(name="hasValue", run=has_value, arity=1, method=True, result="bool"),
    Function(name="value", run=value_of, arity=1, method=True, special=True),
)
