"""The folder that tests of runs work in."""

from tests.cli.runs.support import desk

__all__ = ["desk"]
