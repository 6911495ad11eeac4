"""A Caller is whoever asks to manage something, and what that one may do, and where."""

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from heddle.extensions.extension import Process

Role: TypeAlias = Literal["read", "edit", "operate", "admin"]

ROLES: tuple[Role, ...] = ("read", "edit", "operate", "admin")

RIGHTS: dict[Role, frozenset[Role]] = {
    "read": frozenset({"read"}),
    "edit": frozenset({"read", "edit"}),
    "operate": frozenset({"read", "operate"}),
    "admin": frozenset({"read", "edit", "operate", "admin"}),
}
"""The rights of each role: `edit` changes specs and values, `operate` ends processes, `admin` all."""

EVERY = "*"
"""Stands for every namespace."""

_KEY = "manage.caller"


class Caller(msgspec.Struct, frozen=True):
    """The caller and its address. `namespaces` are those that its rights are for; `*` is all.

    `known` says whether it proved who it is: a caller without a token did not.
    """

    name: str
    roles: tuple[Role, ...] = ()
    namespaces: tuple[str, ...] = (EVERY,)
    remote: str = ""
    known: bool = True

    def may(self, right: Role, namespace: str) -> bool:
        """Return whether it has this right in this namespace (`*`: in every one)."""
        there = EVERY in self.namespaces or namespace in self.namespaces
        return there and any(right in RIGHTS[role] for role in self.roles)


def introduce(process: Process, caller: Caller) -> None:
    """From now on, this process acts for this caller."""
    process.set(_KEY, caller)


def caller_of(process: Process) -> Caller | None:
    """For whom this process acts; None if nobody was introduced."""
    caller: Caller | None = process.get(_KEY)
    return caller


def known_roles(words: Iterable[str]) -> tuple[Role, ...]:
    """Return those of the words that are roles, in our order."""
    texts = set(words)
    return tuple(role for role in ROLES if role in texts)
