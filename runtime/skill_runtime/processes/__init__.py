"""The processes of one server, and their supervision.

- ``serving``: starts a server and ends it, in the order that is safe for the arm.
- ``controller``: the process that moves the arm.
- ``supervisor``: starts gateway, stop listener and policy service again when they fail.
- ``child``: one child process: its start, its heartbeat, its end.
- ``log_pipe``: the messages of all children, printed by the parent.
"""
