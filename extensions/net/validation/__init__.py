"""Validation: requests and other data are checked against JSON Schemas."""
