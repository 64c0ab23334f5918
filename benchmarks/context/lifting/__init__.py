"""What the mass of a lifted cube is worth, and how well a policy infers it.

- ``episodes``: recorded episodes of a controller, and their scores.
- ``laws``: laws by hand that know the mass, or do not.
- ``limits``: the masses that arm and grip can hold.
- ``runs``: the policies of training runs.
"""
