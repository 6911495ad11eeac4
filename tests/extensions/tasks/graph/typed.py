"""Functions with types of their own, for the tests of the compiler."""

from dataclasses import dataclass


@dataclass
class Person:
    """A result with two outputs."""

    name: str
    age: int


def person() -> Person:
    """Return a person."""
    return Person("Ada", 36)


def greet(who: Person) -> str:
    """Take a person as the class that it is."""
    return f"{type(who).__name__} {who.name}"
