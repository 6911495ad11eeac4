"""The servers that are measured beside Heddle: each a program of its own."""
