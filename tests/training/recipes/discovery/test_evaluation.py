"""The world in which a policy is scored during training."""

from __future__ import annotations

from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.mujoco_world import BodyConfig
from skill_training.recipes.discovery.evaluation import _quick


def test_a_body_that_falls_is_scored_to_the_end_of_the_episode() -> None:
    """In training it may start anew; its skills would seem shorter than they are."""
    scored = _quick(BodyConfig(body="ant", restart_lying_after=10))
    assert scored == BodyConfig(body="ant", restart_lying_after=None)


def test_a_score_needs_no_process_for_each_scene() -> None:
    scored = _quick(GymnasiumConfig(environment="gymnasium:Pendulum-v1", processes=True))
    assert scored == GymnasiumConfig(environment="gymnasium:Pendulum-v1", processes=False)
