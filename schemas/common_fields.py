"""The names of the fields that every Spec or Value has."""

SPEC_FIELDS = ("id", "kind", "namespace", "name", "annotations", "env", "ports")
"""The common fields of a Spec; every other field belongs to its kind."""

VALUE_FIELDS = ("id", "namespace", "name", "annotations", "data", "sealed", "from", "secret")
"""Every field of a Value."""

DATA_FIELDS = ("data", "sealed", "from")
"""The fields by one of which a Value says its data; an entry with one of them and no `kind` is a Value."""

SEAL_PREFIX = "heddle:v1"
"""How the text of a sealed Value begins."""
