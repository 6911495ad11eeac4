"""Packets: for each kind a flow, a packet, and plain Python that does with it what the kind does."""
