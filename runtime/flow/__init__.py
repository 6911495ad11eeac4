"""Packets between nodes: the traffic, which knows nothing of Specs."""
