"""Benchmarks measure Heddle against a floor in the same run, so that a ratio means the same anywhere."""
