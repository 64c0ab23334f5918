"""Programs that only subscribe to telemetry.

- ``viewer``: MuJoCo's viewer, in a process of its own.
"""
