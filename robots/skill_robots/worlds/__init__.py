"""Worlds: the scenes in which skills are learned, behind one interface.

- ``world``: the interface, and the description of a world.
- ``bodies``: MuJoCo bodies of Gymnasium (Ant, HalfCheetah, ...) as rows of a table.
- ``mujoco_world``: n scenes of such a body in one batch.
- ``packaged``: bodies of other packages, such as Quadruped of dm_control.
- ``camera``: frames of a world's scenes.
- ``gymnasium_env``: any Gymnasium environment.
- ``tabletop_world``: the Panda on its table.
- ``lift``: the Panda lifts a cube of unknown mass.
- ``downstream``: tasks for a high level that chooses among learned skills.
- ``registry``: worlds by name, installed ones included.
"""
