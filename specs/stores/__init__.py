"""Stores: the places that keep Specs and Values."""
