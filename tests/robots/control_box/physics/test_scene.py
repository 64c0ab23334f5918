"""The model of the box: the plant of training with motors and 1 ms, and nothing else changed."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from skill_robots.control_box.config import robot_config
from skill_robots.control_box.physics.scene import END_STOP_RAD, box_model
from skill_robots.franka.model import FrankaRobot
from skill_robots.franka.specs import FR3, PANDA
from skill_robots.tasks.tabletop.model import tabletop_model


def test_the_panda_of_the_box_is_the_plant_of_training() -> None:
    box = box_model(robot_config("fer"))
    trained = tabletop_model(0.005, (-0.6, 0.0, 0.0))
    assert box.opt.timestep == 0.001
    for name in ("body_mass", "body_inertia", "body_ipos", "body_pos", "dof_armature"):
        ours, theirs = getattr(box, name), getattr(trained, name)
        changed = [] if name[0] == "d" else [box.body("cube").id]
        kept = [i for i in range(len(ours)) if i not in changed]
        assert np.array_equal(ours[kept], theirs[kept]), name
    for name in ("pair_geom1", "pair_geom2", "pair_solref", "pair_solimp", "dof_damping"):
        assert np.array_equal(getattr(box, name), getattr(trained, name)), name
    assert box.opt.integrator == trained.opt.integrator
    assert box.opt.cone == trained.opt.cone == mujoco.mjtCone.mjCONE_ELLIPTIC
    assert box.opt.iterations == trained.opt.iterations == 10


@pytest.mark.parametrize(("robot", "spec"), [("fer", PANDA), ("fr3", FR3)])
@pytest.mark.parametrize("scene", ["tabletop", "none"])
def test_motors_and_end_stops(robot: FrankaRobot, spec: object, scene: str) -> None:
    config = robot_config(robot, scene=scene)
    model = box_model(config)
    assert model.opt.timestep == 0.001
    assert config.spec is spec
    assert np.array_equal(model.actuator_biasprm[:, :3], np.zeros((8, 3)))  # torque, no servo
    assert model.actuator_gainprm[:, 0] == pytest.approx(np.ones(8))
    assert model.actuator_forcerange[:7, 1] == pytest.approx(config.spec.torque_limit)
    assert not model.eq_active0.any()  # until the first use of the hand, as in training
    low, high = model.jnt_range[:7].T
    assert low == pytest.approx(config.spec.position_low - END_STOP_RAD)
    assert high == pytest.approx(config.spec.position_high + END_STOP_RAD)
