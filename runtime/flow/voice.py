"""A Voice takes what the code of one node prints."""

import logging

from heddle.runtime.flow.contracts import Host

_log = logging.getLogger("heddle.console")


class Voice:
    """The printed text of one node's code: an event `console` of its symbol, once that has begun."""

    __slots__ = ("host", "label")

    def __init__(self, label: str) -> None:
        self.label = label
        self.host: Host | None = None

    def __call__(self, level: str, text: str) -> None:
        if self.host is not None:
            self.host.emit("console", level=level, text=text)
        else:
            _log.log(logging.getLevelNamesMapping()[level.upper()], "%s: %s", self.label, text)
