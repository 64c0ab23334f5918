"""Bodies whose masses, dampings or working joints differ between episodes, and are not observed.

These are the ten MuJoCo worlds of SaMI.

- ``contexts``: the sets from which the hidden quantities of an episode are drawn.
- ``body``: a body with such sets, and the joints that can be crippled.
- ``table``: one row for each of the ten bodies.
- ``variation``: gives each scene of a batch a model of its own.
- ``observation``: the fields that SaMI's worlds show.
- ``world``: n scenes of such a body.
"""
