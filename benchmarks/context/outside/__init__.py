"""Does the context distance tell the inside of the trained range from the outside?

- ``conditions``: scenes inside, and outside in one quantity at a time.
- ``second_object``: scenes with a second cube.
- ``tabletop``, ``skill_aware``: policies in the scenes of their training.
- ``scores``: scores of each step, from the recorded observations, actions and contexts.
- ``roc``: area under the ROC curve, with intervals.
"""
