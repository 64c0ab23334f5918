"""Changes to a simulated scene, and their effect on controller and policy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx.parser
import pytest
from tests.support.controller_bench import bench

from skill_proto.manifest import PolicyManifest
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.command import ActiveCommand, CommandHeader
from skill_runtime.authority.refusal import Refusal
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.simulated_scene import context_of, set_context
from skill_runtime.policy import OnnxPolicy

PolicyFileFactory = Callable[..., Path]


OPENS = """
<ir_version: 10, opset_import: ["" : 20]>
opens (float[batch,28] observation, float[batch,2] skill) => (float[batch,4] action)
<int64[4] four = {0, 1, 2, 3}, float[4] open = {0, 0, 0, 1}, float zero = {0}>
{
  some = Gather <axis = 1> (observation, four)
  rest = Mul (some, zero)
  action = Add (rest, open)
}
"""
HAND_STEP = {
    "name": "gripper_width_displacement",
    "size": 1,
    "scale": 0.2,
    "unit": "m",
    "frame": "none",
}


@pytest.mark.parametrize("grasp", [False, True], ids=["width", "grasp"])
def test_a_reset_during_a_command_restores_the_gripper_too(
    make_policy_file: PolicyFileFactory,
    make_manifest: Callable[..., PolicyManifest],
    tmp_path: Path,
    grasp: bool,
) -> None:
    action = [part.model_dump() for part in make_manifest().action]
    graph = onnx.parser.parse_model(OPENS)
    path = make_policy_file(tmp_path, model=graph, goal=None, action=[*action, HAND_STEP])
    served = bench(path)
    served.controller.reset(3)
    start = served.controller.state.gripper_width
    header = CommandHeader(lease="", seq=1, reference_time=0.0)
    served.skill(1, 0)
    command = ActiveCommand(kind="skill", vector=np.array([1.0, 0.0]), expires=60.0, grasp=grasp)
    served.authority.accept(header, "skill", command)
    served.run(0.3)
    if not grasp:
        assert served.controller.arm.read().gripper_width > 0.07
    served.controller.reset(3)
    served.authority.accept(header, "reset")
    target = served.controller.adapter.step()
    assert (target.gripper_width, target.grasp) == (None, False)
    served.run(0.2)
    assert served.controller.arm.read().gripper_width == pytest.approx(start, abs=1e-4) == 0.0


def test_a_changed_object_keeps_the_recurrent_state(
    make_policy_file: PolicyFileFactory, tmp_path: Path
) -> None:
    served = bench(make_policy_file(tmp_path, recurrent=True))
    served.skill(1, 0)
    served.run(0.505)
    assert served.controller.output is not None
    before = served.controller.output.context
    assert before is not None
    set_context(served.controller.arm, mass=5.0, friction=0.1)
    served.run(0.04)
    cube = served.controller.state.objects["cube"].position[:2]
    after = served.controller.output.context
    assert after is not None
    np.testing.assert_allclose(
        after, before / 2 + cube, atol=2e-3
    )  # the cube moves during the step


def test_a_diverged_simulation_is_reset_by_clear(policy_file: Path) -> None:
    served = bench(policy_file)
    table = served.controller.arm._table  # type: ignore[attr-defined]  no public way to break it
    served.run(0.1)
    table.physics.joint_position[0] = np.nan
    served.run(0.1)
    assert served.authority.mode == "fault"
    served.clear()
    served.run(0.1)
    assert served.authority.mode == "hold"
    measured = served.controller.adapter.end_effectors(served.controller.state).measured[0]
    np.testing.assert_allclose(measured, [0.0, 0.0, 0.06], atol=5e-3)


def test_a_real_arm_has_no_scene(policy_file: Path) -> None:
    arm = MujocoArm()
    arm.is_simulated = False  # type: ignore[misc]  MujocoArm says True
    controller = ArmController(arm, OnnxPolicy(policy_file))
    assert context_of(controller.arm) is None
    with pytest.raises(Refusal, match="simulated") as refused:
        controller.reset()
    assert refused.value.code == "not_supported"
