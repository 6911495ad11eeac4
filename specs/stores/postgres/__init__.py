"""The store in PostgreSQL: Specs, Values and their revisions in tables, for several runtimes and machines.

It needs psycopg, which comes with the extra `postgres`; nothing here is imported before an address asks for it.
"""
