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
    "for": "for_:FOR",
    "fork": "fork:FORK",
    "if": "if_switch:IF",
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
    "switch": "if_switch:SWITCH",
    "throttle": "throttle:THROTTLE",
    "throw": "throw:THROW",
    "try": "try_:TRY",
    "while": "while_:WHILE",
}
"""Each kind, and where it stands; it is imported when a Spec first asks for it."""


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
