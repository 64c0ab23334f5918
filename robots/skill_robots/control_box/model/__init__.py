"""The models that a client downloads from the control box, made from the robot's MuJoCo model.

- ``chain``: frames and inertias of the arm's links.
- ``urdf``: the URDF that version 10 sends.
- ``model_library``: the shared library that version 5 sends, compiled from ``fer_model.c``.
"""
