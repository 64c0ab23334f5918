"""The processes of one server, and their supervision.

- ``serving``: starts a server and ends it, in the order that is safe for the arm.
- ``controller``, ``gateway``, ``policy_service``: the entry of each process; that of the stop
  listener is ``skill_runtime.stop_listener``.
- ``config``: the configuration of each process, and the reports of the controller.
- ``signals``: how the control loop waits for other processes, and wakes them.
- ``supervisor``: starts gateway, stop listener and policy service again when they fail.
- ``child``: one child process: its start, its heartbeat, its end.
- ``private_folder``: the folder of one server, and the error of one that cannot start.
- ``log_pipe``: the messages of all children, printed by the parent.
"""
