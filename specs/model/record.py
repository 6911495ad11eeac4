"""The recorded form of a resource: the data of a secret that stands in clear is masked."""

import msgspec

from heddle.specs.model.mask import covered
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value


def recorded(resource: Spec | Value) -> Spec | Value:
    """Return the resource as it is recorded: the data of a secret that stands in clear is masked."""
    if isinstance(resource, Value) and is_withheld(resource):
        return msgspec.structs.replace(resource, data=covered(resource.data))
    return resource


def is_withheld(resource: Spec | Value) -> bool:
    """Return True if a record of this resource must not say its data."""
    return isinstance(resource, Value) and resource.secret and resource.plain
