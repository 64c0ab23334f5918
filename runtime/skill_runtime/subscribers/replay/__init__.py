"""Recordings played again.

- ``policy_replay``: repeats each inference with a policy file, and compares the actions.
- ``result``: the outcome of a replay.
- ``recording_replay``: the same for a recording, whose servers may have different policies.
- ``model_file``: finds the policy file of a recording.
- ``drive``: sends the recorded commands to a server.
"""
