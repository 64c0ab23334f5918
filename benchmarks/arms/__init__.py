"""Benchmarks of real arms and of their simulated control box.

- ``ladder``: the same policy files on a ladder of arms. It uses ``episodes`` (one episode and its
  recording), ``scripted_pick``, ``simulated_rung`` (MuJoCo and PyBullet) and ``box_rung`` (the
  driver on a control box).
- ``box_process``: a control box in a process of its own (``ladder``, ``driver``).
- ``fr3_limits``: policies of the Panda with the limits of an FR3.
- ``overshoot``: velocities of a compliant arm beyond the limits of its set-points.
- ``plant_parity``: free motion of the trained plant, of the driver's law, and of the FR3.
- ``torque_law``: joint impedance as torques at 1 kHz, with libfranka's filters (``plant_parity``).
- ``control_box``: timing of the simulated control box.
- ``driver``: the driver of a real arm, measured against the control box.
- ``geometry``: the links of the published meshes, compared with the collision model.
- ``tracker``: accuracy of the tag tracker, and goals that are reached with its poses.
"""
