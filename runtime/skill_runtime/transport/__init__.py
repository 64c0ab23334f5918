"""The server's ZeroMQ sockets.

- ``interfaces``: the sockets as the server uses them, real or simulated.
- ``router_reader``: whole messages from a ROUTER socket, read in bounded time.
- ``sockets``: the three bound sockets, and the addresses that may be bound.
"""
