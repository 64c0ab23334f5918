"""The server's ZeroMQ sockets.

- ``ports``: the protocols of the sockets that the server uses, real or simulated.
- ``router_reader``: whole messages from a ROUTER socket, read in bounded time.
- ``sockets``: the three bound sockets, and the addresses that may be bound.
"""
