"""Cameras: frames of a world's scenes, rendered without a screen.

- ``offscreen``: an OpenGL context and one frame of a MuJoCo model.
- ``views``: the cameras of each world.
- ``floor``: a floor whose colour depends on the place.
- ``camera``: frames of the scenes of a world.
"""
