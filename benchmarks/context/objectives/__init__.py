"""When does an objective of a context encoder help?

- ``toy``: pushed masses with two behaviours, of which one or the other pays.
- ``pick_or_push``: the Panda with two scripts in two contexts.
- ``scores``: probes of its contexts.
"""
