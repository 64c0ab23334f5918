"""A served gripper moves like that of training, and lifts like it."""

from __future__ import annotations

import numpy as np
import pytest
from benchmarks.plant.scripted_lifter import ScriptedLifter
from tests.support.lift_policy import lift_manifest

from skill_robots.motion.policy_adapter import PolicyAdapter
from skill_robots.tasks.tabletop.simulated_arm import BulletArm, MujocoArm
from skill_robots.tasks.tabletop.tabletop import Tabletop, TabletopConfig

CONFIG = TabletopConfig(gripper=True)


def test_serving_and_training_have_the_same_gripper() -> None:
    """The same policy, seed and scene give bit-equal observations, up to a lifted cube."""
    table, arm, policy = Tabletop(CONFIG, 1, seed=7), MujocoArm(CONFIG, seed=7), ScriptedLifter()
    adapter = PolicyAdapter(arm.spec, lift_manifest(), arm.servo_period_s)
    adapter.reset(arm.read())
    policy.reset(1)
    for _ in range(100):
        observation = table.observe()
        state = arm.read()
        np.testing.assert_array_equal(adapter.observation(state), observation[0])
        action = policy.act(observation)
        adapter.apply_action(action[0], state)
        table.step(action)
        for _ in range(table.substeps):
            arm.command(adapter.step())
    assert table.cube_position[0, 2] > 0.1


def test_the_script_lifts_on_the_other_engine() -> None:
    pytest.importorskip("panda_gym", reason="panda-gym (extra `bullet`) is not installed")
    arm, policy = BulletArm(CONFIG, seed=7), ScriptedLifter()
    adapter = PolicyAdapter(arm.spec, lift_manifest(), arm.servo_period_s)
    adapter.reset(arm.read())
    policy.reset(1)
    for _ in range(100):
        state = arm.read()
        adapter.apply_action(policy.act(adapter.observation(state)[None])[0], state)
        for _ in range(8):
            arm.command(adapter.step())
    assert arm.read().objects["cube"].position[2] > 0.1
    arm.close()
