"""Types of data: JSON Schemas of Python hints, their comparison, and their names for people."""
