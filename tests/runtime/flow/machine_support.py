"""Nodes, and endings of processes, that several tests of the machine share."""

from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.node import Action, Node
from tests.runtime.nodes import (
    made,
    same,
)


def same_node() -> Node:
    return made(Action(same))


async def process_ended(process: Process) -> None:
    ended = process.end()
    if ended is not None and not isinstance(ended, Error):
        await ended
    assert process.wiring.generation.processes == set() or process.ended is not None  # pyright: ignore[reportAttributeAccessIssue] - what a test adds to the contract
