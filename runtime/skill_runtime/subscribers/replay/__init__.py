"""Recordings played again.

- ``policy_replay``: repeats each inference with a policy file, and compares the actions.
- ``model_file``: finds the policy file of a recording.
- ``drive``: sends the recorded commands to a server.
"""
