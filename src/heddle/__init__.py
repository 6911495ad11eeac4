"""Heddle: a declarative, hot-reloading workflow runtime for Python."""

__version__ = "0.1.0"
