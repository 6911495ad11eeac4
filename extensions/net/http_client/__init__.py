"""Calling others over HTTP: a pool of connections, what is asked, and what comes back.

`aiohttp` is imported when a pool opens, not before: who calls nobody does not need it.
"""
