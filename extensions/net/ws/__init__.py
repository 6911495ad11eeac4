"""WebSocket, both sides: a connection that talks, the rooms it is in, and what is said.

`websockets` gives the protocol without a socket; it is imported when a node is built, not before.
"""
