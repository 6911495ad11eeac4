"""Control: the kinds that decide where packets go, and what becomes of their answers."""

from heddle.extensions.control.breaker import BREAKER
from heddle.extensions.control.cache import CACHE
from heddle.extensions.control.choose import IF, SWITCH
from heddle.extensions.control.collect import COLLECT
from heddle.extensions.control.debounce import DEBOUNCE
from heddle.extensions.control.dedupe import DEDUPE
from heddle.extensions.control.each import FOR
from heddle.extensions.control.fork import FORK
from heddle.extensions.control.loop import WHILE
from heddle.extensions.control.merge import MERGE
from heddle.extensions.control.nop import NOP
from heddle.extensions.control.pipe import PIPE
from heddle.extensions.control.reduce import REDUCE
from heddle.extensions.control.retry import RETRY
from heddle.extensions.control.session import SESSION
from heddle.extensions.control.sleep import SLEEP
from heddle.extensions.control.snippet import SNIPPET
from heddle.extensions.control.split import SPLIT
from heddle.extensions.control.throttle import THROTTLE
from heddle.extensions.control.throw import THROW
from heddle.extensions.control.trial import TRY
from heddle.extensions.extension import Extension

KINDS = (
    BREAKER,
    CACHE,
    COLLECT,
    DEBOUNCE,
    DEDUPE,
    FOR,
    FORK,
    IF,
    MERGE,
    NOP,
    PIPE,
    REDUCE,
    RETRY,
    SESSION,
    SLEEP,
    SNIPPET,
    SPLIT,
    SWITCH,
    THROTTLE,
    THROW,
    TRY,
    WHILE,
)


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    for kind in KINDS:
        extension.kind(kind)
