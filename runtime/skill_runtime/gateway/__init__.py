"""The process that owns the sockets for commands and telemetry.

It decodes, validates and answers messages, and encodes telemetry. Valid commands pass to the
controller as records. If this process dies, commands expire, and the arm holds.

- ``gateway``: one step of the process, over real or simulated sockets.
- ``config``: describes the server.
- ``validation``: the content of commands against policy and arm; the controller repeats it.
- ``telemetry``: telemetry messages from the controller's state records.
- ``lease_key``: the key that holds the lease; when it is revoked, the lease ends.
- ``act_forwarder``: ``act`` requests on their way to the policy service.
"""
