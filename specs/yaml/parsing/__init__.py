"""Parsing reads large texts in a warm process of their own, so that nobody waits meanwhile."""
