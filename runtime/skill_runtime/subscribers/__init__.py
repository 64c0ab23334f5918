"""Programs that subscribe to telemetry, in processes of their own; no server waits for them.

- ``viewer``: MuJoCo's viewer.
- ``subscription``: the telemetry socket as a recorder reads it, without losing a message.
- ``recording``: telemetry, policy steps and commands in MCAP files.
- ``replay``: repeats the inferences of a recording, and its commands.
- ``dataset``: a recording as a LeRobotDataset.
- ``metrics``: telemetry for Prometheus.
- ``web``: a page for browsers; the one of them that also commands the arm, as a client does.
"""
