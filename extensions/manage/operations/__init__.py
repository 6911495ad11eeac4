"""Every operation by its name, a module for each sort of thing that is managed."""

from heddle.extensions.manage.operation import Operation
from heddle.extensions.manage.operations import (
    accepted,
    changes,
    leases,
    resources,
    runs,
    runtimes,
    sql,
)
from heddle.extensions.manage.operations import meta as about

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for module in (about, resources, changes, runtimes, runs, accepted, leases, sql)
    for operation in module.OPERATIONS
}
"""By name, in the order in which they are told."""

_DESCRIPTION = about.openapi_of(OPERATIONS)
OPERATIONS[_DESCRIPTION.name] = _DESCRIPTION
