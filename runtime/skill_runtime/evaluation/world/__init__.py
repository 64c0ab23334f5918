"""Scores a policy in a world without an arm.

- ``evaluate``: runs skills and goals for skill-eval.
- ``checks``: compares policy, command line and world before anything runs.
- ``report``: the settings and the table of the scores.
"""
