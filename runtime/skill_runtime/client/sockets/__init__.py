"""ZeroMQ sockets of a client.

- ``address``: refuses addresses that cannot be used.
- ``opening``: sockets that connect, with keys if there are any.
"""
