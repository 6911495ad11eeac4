"""Control: the kinds that decide where packets go, and what becomes of their answers."""

from heddle.extensions.extension import Extension

KINDS = {
    "block": "block:BLOCK",
    "breaker": "breaker:BREAKER",
    "cache": "cache:CACHE",
    "call": "call:CALL",
    "collect": "collect:COLLECT",
    "debounce": "debounce:DEBOUNCE",
    "dedupe": "dedupe:DEDUPE",
    "for": "each:FOR",
    "fork": "fork:FORK",
    "if": "choose:IF",
    "merge": "merge:MERGE",
    "nop": "nop:NOP",
    "pipe": "pipe:PIPE",
    "reduce": "reduce:REDUCE",
    "retry": "retry:RETRY",
    "session": "session:SESSION",
    "sleep": "sleep:SLEEP",
    "snippet": "snippet:SNIPPET",
    "split": "split:SPLIT",
    "step": "step:STEP",
    "switch": "choose:SWITCH",
    "throttle": "throttle:THROTTLE",
    "throw": "throw:THROW",
    "try": "trial:TRY",
    "while": "loop:WHILE",
}
"""Each kind, and where it stands; it is imported when a Spec first asks for it."""


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
