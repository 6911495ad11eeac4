"""Cookies: how they are read, written and signed."""
