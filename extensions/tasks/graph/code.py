"""Code in inputs and outputs: which tasks it names, and the program that it is compiled to."""

import re
from collections.abc import Container

from heddle.extensions.extension import Build, Expression
from heddle.schemas.errors import SpecError
from heddle.schemas.path import Path

_WORD = re.compile(r"(?<![\w.$])[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def names_in(
    expression: Expression, build: Build, path: Path, known: Container[str]
) -> tuple[str, ...]:
    """Return the names among the `known` that code uses, in order.

    A language that tells the free names of a program is asked; of others every word counts. Code
    that does not compile names nothing: that is reported when its program is made.
    """
    try:
        program = build.program(expression, *path)
    except SpecError:
        return ()
    free = getattr(program, "names", None)
    words = dict.fromkeys(_WORD.findall(expression.code))
    return tuple(word for word in words if word in known and (free is None or word in free))
