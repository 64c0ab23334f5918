"""Scripted controllers for the skill-aware benchmark.

- ``motion``: the state that a controller reads, and motions of the hand.
- ``pick``: grasps the cube and carries it.
- ``push``: pushes the cube along the table, or tumbles it.
- ``switch``: picks, and pushes after picking has failed.
- ``policies``: the controllers as policies.
"""
