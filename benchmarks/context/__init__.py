"""Benchmarks of goal policies and their context encoders.

Programs:

- ``adaptation``: time of adaptation to another mass or friction.
- ``context_map``: information in the contexts of a skill-aware policy.
- ``goals_at_rest``: goals reached with true, inferred and no context.
- ``horizon``: rules for the recurrent state over minutes.
- ``lifting``: worth of the mass of a lifted cube.
- ``log_k``: contrastive objectives and batch sizes.

Their parts:

- ``encoder_only``: an encoder that trains alone, and its linear probe (``log_k``).
- ``goal_episodes``: recorded episodes of a policy (``log_k``).
- ``goal_serving``: scenes with consecutive goals (``adaptation``, ``horizon``).
- ``identification``: accuracy of a policy's estimates (``adaptation``).
"""
