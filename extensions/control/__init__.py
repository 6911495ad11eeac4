"""Control: the kinds that decide where packets go, and what becomes of their answers."""

from heddle.extensions.control.choose import IF, SWITCH
from heddle.extensions.control.each import FOR
from heddle.extensions.control.fork import FORK
from heddle.extensions.control.merge import MERGE
from heddle.extensions.control.nop import NOP
from heddle.extensions.control.pipe import PIPE
from heddle.extensions.control.sleep import SLEEP
from heddle.extensions.control.snippet import SNIPPET
from heddle.extensions.control.split import SPLIT
from heddle.extensions.control.throw import THROW
from heddle.extensions.control.trial import TRY
from heddle.extensions.extension import Extension


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    for kind in (FOR, FORK, IF, MERGE, NOP, PIPE, SLEEP, SNIPPET, SPLIT, SWITCH, THROW, TRY):
        extension.kind(kind)
