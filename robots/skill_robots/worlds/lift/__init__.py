"""The Panda lifts a cube of unknown mass to a height, with a grip that costs as it presses.

- ``config``: the sets of masses, the goals and the reward's settings.
- ``world``: n scenes of it.
"""
