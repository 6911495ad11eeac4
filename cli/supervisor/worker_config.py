"""Orders are what a supervisor tells a worker to do, before anything else is said between them."""

import msgspec

from heddle.cli.settings import Settings


class Orders(msgspec.Struct, frozen=True, kw_only=True):
    """The number of a worker among its group, and what it runs.

    The worker's log goes over the wire: `text` says whether for people, `color` whether painted. `path`
    is where Python looks for modules, `beat` how often it tells that it lives, in seconds.
    """

    settings: Settings
    number: int
    size: int
    text: bool
    color: bool
    path: tuple[str, ...] = ()
    beat: float = 1.0
