"""Keys of servers and clients, and their roles (CURVE, ZeroMQ RFC 26; ZAP, RFC 27).

The stop listener imports these modules, so they need only the standard library and pyzmq.

- ``keys``: key pairs, and their files.
- ``roles``: the messages that a key may send.
- ``config``: the keys of one server, as its processes get them.
- ``authorized_keys``: the file with the keys of a server's clients; read again when it changes.
- ``door``: admits connections to the sockets of one process, and checks the sender of a message.
- ``client_keys``: the keys with which a client connects.
- ``handshake``: why a connection of a client was refused.
"""
