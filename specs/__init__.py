"""What someone wrote: Specs and Values, the documents they stand in, and the stores that keep them.

Names are brought in when they are asked for, so that importing this room costs next to nothing.
The functions `bind` and `difference` are had from their modules: here their names would be those of the modules.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from heddle.schemas.errors import (
        Conflict,
        HeddleError,
        NotFound,
        SecretError,
        SpecError,
        StoreError,
    )
    from heddle.schemas.link import DEFAULT_NAMESPACE, Link
    from heddle.schemas.path import Path, dotted
    from heddle.schemas.problem import NOWHERE, Place, Problem, did_you_mean
    from heddle.specs.binding.bind import Bound, Values
    from heddle.specs.merge.merge import MergeConflict, Merged
    from heddle.specs.model.difference import Detail, Difference, differences
    from heddle.specs.model.entry import data_of, spec_of, value_of
    from heddle.specs.model.names import named_id, new_id
    from heddle.specs.model.report import Condition, Report, Reporting, SymbolReport
    from heddle.specs.model.revision import Note, Recording, Revision, Turn
    from heddle.specs.model.spec import Binding, Spec
    from heddle.specs.model.store import Change, ChangeSet, Delete, Put, Resource, Store
    from heddle.specs.model.value import Source, Value
    from heddle.specs.secrets.keyring import Keyring
    from heddle.specs.secrets.seal import Key, key_of, new_key, sealed_by
    from heddle.specs.secrets.vault import Vault
    from heddle.specs.stores.folder.store import FolderStore
    from heddle.specs.stores.memory import MemoryStore
    from heddle.specs.stores.opener import Opener, Stores, open_store
    from heddle.specs.yaml.canonical_form import formatted
    from heddle.specs.yaml.document import Reading, read_data, read_path, read_text

__all__ = [
    "DEFAULT_NAMESPACE",
    "NOWHERE",
    "Binding",
    "Bound",
    "Change",
    "ChangeSet",
    "Condition",
    "Conflict",
    "Delete",
    "Detail",
    "Difference",
    "FolderStore",
    "HeddleError",
    "Key",
    "Keyring",
    "Link",
    "MemoryStore",
    "MergeConflict",
    "Merged",
    "NotFound",
    "Note",
    "Opener",
    "Path",
    "Place",
    "Problem",
    "Put",
    "Reading",
    "Recording",
    "Report",
    "Reporting",
    "Resource",
    "Revision",
    "SecretError",
    "Source",
    "Spec",
    "SpecError",
    "Store",
    "StoreError",
    "Stores",
    "SymbolReport",
    "Turn",
    "Value",
    "Values",
    "Vault",
    "data_of",
    "did_you_mean",
    "differences",
    "dotted",
    "formatted",
    "key_of",
    "named_id",
    "new_id",
    "new_key",
    "open_store",
    "read_data",
    "read_path",
    "read_text",
    "sealed_by",
    "spec_of",
    "value_of",
]

_HOMES = {
    "bind": ("Bound", "Values"),
    "difference": ("Detail", "Difference", "differences"),
    "document": ("Reading", "read_data", "read_path", "read_text"),
    "entry": ("data_of", "spec_of", "value_of"),
    "errors": ("Conflict", "HeddleError", "NotFound", "SecretError", "SpecError", "StoreError"),
    "folder": ("FolderStore",),
    "keyring": ("Keyring",),
    "formatting": ("formatted",),
    "memory": ("MemoryStore",),
    "merging": ("MergeConflict", "Merged"),
    "names": ("named_id", "new_id"),
    "open": ("Opener", "Stores", "open_store"),
    "problem": ("NOWHERE", "Place", "Problem", "did_you_mean"),
    "report": ("Condition", "Report", "Reporting", "SymbolReport"),
    "revision": ("Note", "Recording", "Revision", "Turn"),
    "sealing": ("Key", "key_of", "new_key", "sealed_by"),
    "spec": ("DEFAULT_NAMESPACE", "Binding", "Link", "Path", "Spec", "dotted"),
    "store": ("Change", "ChangeSet", "Delete", "Put", "Resource", "Store"),
    "value": ("Source", "Value"),
    "vault": ("Vault",),
}
_HOME = {name: f"{__name__}.{home}" for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
