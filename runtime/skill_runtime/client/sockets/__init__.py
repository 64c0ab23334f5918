"""ZeroMQ sockets of a client.

- ``opening``: sockets that connect, with keys if there are any.
"""
