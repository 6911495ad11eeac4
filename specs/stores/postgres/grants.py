"""Least privilege: what a role of the database needs, to be what it is to a store."""

from heddle.specs.stores.postgres.address import SCHEMA

_RIGHTS = {
    "reader": ("GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r};",),
    "runtime": (
        "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r};",
        "GRANT INSERT, UPDATE, DELETE ON {s}.reports, {s}.accepted, {s}.leases TO {r};",
    ),
    "writer": (
        "GRANT SELECT ON ALL TABLES IN SCHEMA {s} TO {r};",
        "GRANT INSERT, UPDATE, DELETE ON {s}.reports, {s}.accepted, {s}.leases TO {r};",
        "GRANT INSERT, UPDATE, DELETE ON {s}.specs, {s}.values TO {r};",
        "GRANT INSERT ON {s}.revisions, {s}.turns TO {r};",
        "GRANT UPDATE ON {s}.head TO {r};",
    ),
}

ROLES = tuple(_RIGHTS)
"""The parts that a role may play for a store: it only reads, it runs a namespace, or it changes what is kept."""


def grants(role: str, sort: str, schema: str = SCHEMA) -> str:
    """Return the SQL that lets a database role be one of ROLES, and nothing more."""
    quoted = '"' + role.replace('"', '""') + '"'
    lines = ("GRANT USAGE ON SCHEMA {s} TO {r};", *_RIGHTS[sort])
    return "".join(
        f"{line}\n".replace("{s}", f'"{schema}"').replace("{r}", quoted) for line in lines
    )
