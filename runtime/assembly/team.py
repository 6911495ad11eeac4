"""A Team is the runtimes of one namespace that work side by side, each in a process of its own.

They follow the same store, serve the same addresses, and change one after the other. A runtime that
works alone is a team of one.
"""

import socket
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext


class Team:
    """The knowledge of a runtime about those beside it; this one is alone."""

    number = 0
    """The number of this one, from 0."""
    size = 1
    """How many there are."""
    failure = ""
    """Why those beside it are not as they should be; empty if they are."""

    async def bind(
        self, host: str, port: int, owner: str, beside: Sequence[tuple[int, str, int]] = ()
    ) -> Sequence[socket.socket]:
        """Sockets that all of the team accept from; none if everyone binds for itself.

        Port 0 is one free port for all who ask for the same `owner`. Raise OSError if the address cannot
        be had. `beside` are the addresses (family, host, port) of sockets of this team that are about
        to be replaced, and may overlap. Who closes them says so with `release`.
        """
        del host, port, owner, beside
        return ()

    def release(self, host: str, port: int, owner: str) -> None:
        """Accept no more from what was bound like this; the last one of the team gives it up."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """While it lasts, nobody else of the team changes: what one takes up is whole before the next begins."""
        return nullcontext()


ALONE = Team()
