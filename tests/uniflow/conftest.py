"""Tests with sockets run on both event loops."""

from tests.loops import anyio_backend

__all__ = ["anyio_backend"]
