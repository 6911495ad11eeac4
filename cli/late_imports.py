"""Modules that are imported late are read with a spare file descriptor if no other is free.

Much of Heddle is imported when it is first needed: what explains a mistake, the kinds of an edit. That
may be the very moment in which clients hold every descriptor.
"""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

from heddle.specs.files.spare import SPARE


class SpareLoader(SourceFileLoader):
    """Reads a module of Python with a spare descriptor if it has to."""

    def get_data(self, path: str) -> bytes:
        """Return what is in a file."""
        return SPARE.attempt(lambda: super(SpareLoader, self).get_data(path))


class SpareFinder(PathFinder):
    """Looks for modules where Python does, with a spare descriptor if it has to."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where a module is; None if there is none of this name."""
        spec = SPARE.attempt(lambda: PathFinder.find_spec(fullname, path, target))
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = SpareLoader(spec.loader.name, spec.loader.path)
        return spec


def spare_imports() -> None:
    """Have every later import use the spare descriptors; a second call changes nothing."""
    if SpareFinder in sys.meta_path:
        return
    SPARE.keep()
    # Whoever stands before the usual finder goes on doing so.
    at = sys.meta_path.index(PathFinder) if PathFinder in sys.meta_path else len(sys.meta_path)
    sys.meta_path.insert(at, SpareFinder)
