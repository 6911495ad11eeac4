"""A Scale says how long and how often everything is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Scale:
    """`rounds` and `seconds` are of one row: floor and subject take turns, a round each.

    `calls` is the time in seconds that one sample of a call in this process takes. `symbols` are
    the symbols of the large namespace, 100 to a file. `edits` and `deploys` are how many changes
    are saved, `launches` how often a command is started. `sockets` are open at the same time, and
    `items` is how long the list of a `for` is. `reloads` are the changes of a soak,
    `events` the events of a stream.
    """

    name: str
    calls: float
    samples: int
    rounds: int
    seconds: float
    connections: int
    symbols: int
    parses: int
    edits: int
    deploys: int
    launches: int
    sockets: int
    items: int
    reloads: int
    events: int


FULL = Scale(
    name="full",
    calls=0.02,
    samples=60,
    rounds=15,
    seconds=0.7,
    connections=64,
    symbols=10_000,
    parses=5,
    edits=40,
    deploys=100,
    launches=12,
    sockets=1_000,
    items=10_000,
    reloads=1_000,
    events=100_000,
)
"""What `make bench` measures: about twelve minutes."""

QUICK = Scale(
    name="quick",
    calls=0.005,
    samples=30,
    rounds=4,
    seconds=0.4,
    connections=64,
    symbols=10_000,
    parses=1,
    edits=8,
    deploys=25,
    launches=3,
    sockets=1_000,
    items=10_000,
    reloads=150,
    events=100_000,
)
"""For a look in between, and for a change that is being worked on: about four minutes."""

TINY = Scale(
    name="tiny",
    calls=0.0002,
    samples=2,
    rounds=1,
    seconds=0.1,
    connections=4,
    symbols=200,
    parses=1,
    edits=2,
    deploys=3,
    launches=1,
    sockets=8,
    items=100,
    reloads=2,
    events=500,
)
"""Shows that everything runs and that every answer is right; its figures mean nothing."""
