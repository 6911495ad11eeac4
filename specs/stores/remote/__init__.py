"""The remote store: a store behind the HTTP API of a system namespace."""
