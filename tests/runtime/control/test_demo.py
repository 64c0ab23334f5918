"""The demo: the motions of a simulated arm before the first lease."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.controller_bench import update

from skill_proto.messages import Acquire
from skill_robots.tasks.tabletop.simulated_arm import MujocoArm
from skill_runtime.authority.authority import Authority
from skill_runtime.authority.command import DEMO
from skill_runtime.control.arm_controller import ArmController
from skill_runtime.control.demo import DemoController
from skill_runtime.policy import OnnxPolicy, load_manifest

PolicyFileFactory = Callable[..., Path]


def make_demo(model: Path, seed: int = 0) -> tuple[DemoController, Authority, ArmController]:
    controller = ArmController(MujocoArm(seed=seed), OnnxPolicy(model))
    return DemoController(controller.manifest, seed), Authority(), controller


def test_a_new_skill_and_a_fresh_start_each_episode(policy_file: Path) -> None:
    demo, authority, controller = make_demo(policy_file)
    skills, cubes = list[tuple[float, ...]](), list[tuple[float, ...]]()
    for tick in range(2 * 800 + 1):  # 4 s each, as the manifest's hold_steps say
        demo.step(authority, controller, tick * 0.005)
        assert authority.command is not None
        assert authority.command.kind == DEMO
        update(controller, authority)
        skills.append(tuple(authority.command.vector))
        cubes.append(tuple(controller.state.objects["cube"].position))
    assert skills[0] == skills[799] != skills[800] == skills[1599] != skills[1600]
    assert np.linalg.norm(np.subtract(cubes[799], cubes[0])) > 0.05  # the cube was pushed
    assert max(np.abs(cubes[800][:2])) <= 0.1 + 1e-6  # the scene was reset
    assert authority.events.counters["episodes"] == 3


def test_a_goal_policy_pursues_several_goals_from_each_start(goal_file: Path) -> None:
    demo, authority, controller = make_demo(goal_file)
    goals, fresh, rests = list[tuple[float, ...]](), 0, list[float]()
    for tick in range(6 * 1200):
        before = controller.state.time_s
        demo.step(authority, controller, tick * 0.005)
        fresh += controller.state.time_s < before
        update(controller, authority)
        assert authority.mode == "goal"
        assert authority.command is not None
        goal = tuple(authority.command.vector)
        if not goals or goal != goals[-1]:
            goals.append(goal)
        if tick % 1200 == 1199:
            rests.append(
                float(np.linalg.norm(controller.state.objects["cube"].position[:2] - goal))
            )
    assert len(goals) == 6  # 6 s each
    assert np.abs(goals).max() <= 0.15
    assert fresh == 1  # the fifth goal begins from a fresh start
    assert authority.events.counters["episodes"] == 2
    assert np.median(rests) < 0.05  # there is time to reach the goal


def test_the_skills_cover_the_circle_evenly(policy_file: Path) -> None:
    demo = DemoController(load_manifest(policy_file), 0)
    vectors = np.array([demo._next()[1] for _ in range(21)])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    angles = np.sort(np.arctan2(vectors[:, 1], vectors[:, 0]))
    gaps = np.diff(np.append(angles, angles[0] + 2 * np.pi))
    assert gaps.max() < 2 * 2 * np.pi / 21  # no gap of twice the even one


@pytest.mark.parametrize("ending", ["stop", "fault"])
def test_the_demo_never_resumes(policy_file: Path, ending: str) -> None:
    demo, authority, controller = make_demo(policy_file)
    demo.step(authority, controller, 0.0)
    assert authority.mode == "skill"
    getattr(authority, ending)("test")
    authority.clear(0.0)
    start = controller.state.objects["cube"].position.copy()
    demo.step(authority, controller, 100.0)
    assert (authority.mode, authority.command) == ("hold", None)
    np.testing.assert_array_equal(controller.arm.read().objects["cube"].position, start)


def test_the_first_lease_resets_the_scene(policy_file: Path) -> None:
    demo, authority, controller = make_demo(policy_file)
    for tick in range(600):
        demo.step(authority, controller, tick * 0.005)
        update(controller, authority)
    pushed = controller.state.objects["cube"].position.copy()
    authority.acquire(Acquire(holder="test"), 3.0)
    demo.step(authority, controller, 3.0)
    fresh = controller.state.objects["cube"].position.copy()
    assert np.linalg.norm(fresh - pushed) > 0.01
    assert max(np.abs(fresh[:2])) <= 0.1 + 1e-6
    demo.step(authority, controller, 3.005)
    np.testing.assert_array_equal(controller.state.objects["cube"].position, fresh)


def test_other_kinds_of_skill_and_goal_are_drawn_too(policy_file: Path) -> None:
    manifest = load_manifest(policy_file)
    from skill_proto.manifest import SkillSpace

    one_hot = manifest.model_copy(update={"skill": SkillSpace(kind="one_hot", size=3)})
    demo = DemoController(one_hot, 0)
    drawn = np.array([demo._next()[1] for _ in range(3)])
    np.testing.assert_array_equal(drawn, np.eye(3))

    none = SkillSpace(kind="none", size=0)
    event, goal = DemoController(manifest.model_copy(update={"skill": none}), 0)._next()
    assert event == "goal"
    assert np.abs(goal).max() <= 0.15

    plain = manifest.model_copy(update={"skill": none, "goal": None})
    event, empty = DemoController(plain, 0)._next()
    assert (event, len(empty)) == ("skill", 0)

    sphere = manifest.model_copy(update={"skill": SkillSpace(kind="sphere", size=8)})
    assert np.linalg.norm(DemoController(sphere, 0)._next()[1]) == pytest.approx(1.0)
