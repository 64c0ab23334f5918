"""The server's ZeroMQ sockets.

- ``addresses``: the addresses that may be served.
- ``listeners``: the listening sockets, bound once for the life of the server.
- ``options``: the options that bound queues and frames.
- ``sockets``: ZeroMQ sockets on the listening sockets, with the keys of the server if it has any.
- ``topics``: messages on the telemetry socket beside telemetry.
- ``interfaces``: the sockets as the gateway uses them, real or simulated.
- ``router_reader``: whole messages from a ROUTER socket, read in bounded time.
"""
