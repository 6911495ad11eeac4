"""The notices about a path, and how often a notifier looks at what no event reports."""

EVERYTHING = ""
"""Told in the place of a path: anything may have changed."""

REMOVED = "\0"
"""Told in the place of a path: the folder itself was removed, whatever stands there now."""

EVERY = 0.5
"""Seconds between two looks at the parts of the path that no event tells of."""

SHARE = 200
"""A look that takes long is made less often: it may take one part in so many of the time."""
