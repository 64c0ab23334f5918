"""How much the mass of a lifted cube matters, and how well a policy infers it.

- ``episodes``: recorded episodes of a controller, and their scores.
- ``laws``: hand-designed controllers that are given the mass, or are not.
- ``limits``: the masses that arm and grip can hold.
- ``runs``: the policies of training runs.
"""
