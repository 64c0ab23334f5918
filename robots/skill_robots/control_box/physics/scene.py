"""The MuJoCo model of the robot: an arm with torque motors, alone or at its tabletop."""

from __future__ import annotations

import mujoco

from skill_robots.control_box.config import CYCLE_S, RobotConfig
from skill_robots.franka.kinematics import FLANGE_IN_LINK7
from skill_robots.franka.model import FINGER_JOINTS, franka_spec
from skill_robots.tasks.tabletop.model import CUBE_TABLE_PAIR, add_tabletop, set_physics

END_EFFECTOR_SITE = "EE"
"""Site at the configured end-effector frame."""
STIFFNESS_SITE = "K"
"""Site at the configured stiffness frame."""

END_STOP_RAD = 0.05
"""The mechanical end stops are this far beyond the ends of the joints' ranges [rad]. A guess: the
interface reports a violation of a range before a joint reaches its stop."""

FINGER_STOP_S = 0.004
"""Time constant of the fingers' end stops [s]. The stops of the plant of training give way by
several millimetres under the force of a grasp; those of a hand measure its largest width."""

_JOINTS = tuple(f"panda_joint{i}" for i in range(1, 8))


def box_model(config: RobotConfig) -> mujoco.MjModel:
    """Compiles the model: 1 ms steps, torque motors, and sites at the frames EE and K.

    The sites are children of the last link, so that a client can move them (:func:`place_site`).
    """
    spec = franka_spec(config.robot)
    if config.scene == "tabletop":
        add_tabletop(spec, config.base_position)
    else:
        spec.body("panda_link0").pos = config.base_position
        spec.equality("finger_gear").active = False
    set_physics(spec, CYCLE_S)
    for actuator in spec.actuators:
        actuator.set_to_motor()
        actuator.ctrllimited = False
    for name in _JOINTS:
        joint = spec.joint(name)
        low, high = joint.range
        joint.range = (low - END_STOP_RAD, high + END_STOP_RAD)
    for name in FINGER_JOINTS:
        spec.joint(name).solref_limit = (FINGER_STOP_S, 1.0)
    last_link = spec.body("panda_link7")
    for name in (END_EFFECTOR_SITE, STIFFNESS_SITE):
        last_link.add_site(name=name, pos=[0.0, 0.0, FLANGE_IN_LINK7])
    model = spec.compile()
    if config.scene == "tabletop":
        set_object(model, config.mass, config.friction)
    return model


def set_object(model: mujoco.MjModel, mass: float, friction: float) -> None:
    """Sets the cube's mass [kg] and its friction on the table.

    The constants that depend on masses must be computed anew (``mujoco.mj_setConst``) if data of
    the model exists.
    """
    cube = model.body("cube").id
    model.body_inertia[cube] *= mass / model.body_mass[cube]
    model.body_mass[cube] = mass
    model.pair_friction[model.pair(CUBE_TABLE_PAIR).id, :2] = friction
