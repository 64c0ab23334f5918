"""The world of a run: time, sockets, processes and network.

- ``clock``: time that advances during waits.
- ``transport``: the sockets of the server.
- ``processes``: gateway and stop listener, and their failures.
- ``network``: delays, loses, duplicates and reorders messages.
"""
