"""Skill discovery from frames: exact continuation, the policy file, and refusals."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, cast

import pytest
import torch
from tests.support.discovery import manifest_of
from tests.support.opengl import require_opengl
from tests.support.training_runs import provenance

from skill_training.errors import ConfigError
from skill_training.export.skill_graph import SkillGraph
from skill_training.nets.pixels.encoder import PixelConfig
from skill_training.nets.representation import RepresentationConfig
from skill_training.recipes.discovery.config import (
    SkillConfig,
    SkillRunSettings,
    default_skill_config,
)
from skill_training.recipes.discovery.recipe import SkillLearner, SkillRecipe
from skill_training.recipes.recipe import RunFacts

CPU = torch.device("cpu")
PIXELS = PixelConfig(size=16, channels=(4, 4), every=2, capacity=150)


def config(
    algorithm: str = "csf",
    world: str = "half_cheetah",
    *,
    pixels: PixelConfig = PIXELS,
    phi: dict[str, Any] | None = None,
    **run: object,
) -> SkillConfig:
    whole = default_skill_config(algorithm, world)
    seen: dict[str, Any] = {"inputs": ("pixels",), "hidden": (8,), "input_scale": "step"}
    settings = cast("dict[str, Any]", {"n_envs": 2, "env_steps": 400, "warmup_steps": 40} | run)
    return SkillConfig(
        algorithm=replace(
            whole.algorithm,
            hidden=(8,),
            batch_size=8,
            representation=RepresentationConfig(pixels=pixels, **(seen | (phi or {}))),
        ),
        task=replace(whole.task, episode_steps=20),
        run=SkillRunSettings(eval_skills=4, replay_capacity=200, **settings),
    )


def rounds(learner: SkillLearner, count: int) -> list[dict[str, torch.Tensor]]:
    losses: list[dict[str, torch.Tensor]] = []
    for _ in range(count):
        learner.collect_round()
        losses += [learner.update() for _ in range(2)]
    return losses


@pytest.mark.parametrize("algorithm", ["csf", "metra"])
def test_a_restored_learner_goes_on_exactly(algorithm: str) -> None:
    """Also after frames were overwritten: each round has 42 of the 150 that are kept."""
    require_opengl()
    first, second = (SkillLearner(config(algorithm), CPU) for _ in range(2))
    rounds(first, 5)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert rounds(first, 2) == rounds(second, 2)
    one, other = first.algorithm.state_dict(), second.algorithm.state_dict()
    for name, value in one["representation"].items():
        assert torch.equal(other["representation"][name], value), name
    for learner in (first, second):
        learner.close()


def test_phi_learns_from_frames_and_the_actor_from_the_observation() -> None:
    require_opengl()
    learner = SkillLearner(config(), CPU)
    before = copy.deepcopy(learner.algorithm.representation.state_dict())
    rounds(learner, 3)
    after = learner.algorithm.representation.state_dict()
    changed = {name for name in after if not torch.equal(before[name], after[name])}
    assert {"map.0.weight", "map.2.weight"} <= changed
    assert not {"offset", "scale"} & changed
    assert before["scale"].shape == (3, 16, 16)
    quick = learner.evaluate_quick()
    assert "coverage_cells" in quick
    assert "phi_singular_value_ratio" not in quick
    learner.close()


def test_the_policy_is_exported_without_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    require_opengl()
    made = config()
    learner = SkillLearner(made, CPU)
    state = learner.state_dict()
    learner.close()

    def missing(*_: object) -> None:
        raise AssertionError("an export renders nothing")

    monkeypatch.setattr("skill_robots.worlds.camera.camera.Offscreen", missing)
    monkeypatch.setattr("skill_training.recipes.discovery.inputs.frame_scale", missing)
    facts = RunFacts(provenance=provenance(), metrics={"coverage_cells": 3.0})
    graph, manifest = SkillRecipe().shipped(made, facts, state)
    assert type(graph) is SkillGraph
    assert manifest.goal is None
    assert manifest.representation is not None
    assert manifest.representation.inputs == ("pixels",)
    assert manifest.representation.form == "convolution"
    assert "takes skills and no goals" in manifest.description
    limits = SkillRecipe().card_notes(made).limits
    assert "saw frames of a simulated camera in training (16 x 16 pixels)" in limits
    assert "takes no goals" in limits


def test_on_the_tabletop_the_cube_camera_is_named_in_the_card() -> None:
    cube = replace(PIXELS, camera="cube")
    made = config(world="tabletop", pixels=cube, phi={"input_scale": "typical"})
    assert "It shows the cube alone." in SkillRecipe().card_notes(made).limits
    manifest = manifest_of(made, RunFacts(provenance=provenance(), metrics={}))
    assert manifest.description.startswith("Skills of the tabletop, trained with contrastive")


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"algorithm": "lsd"}, "--lsd.representation.inputs pixels: only csf, metra learn"),
        ({"overlap": True}, "pixels and --overlap exclude each other"),
        ({"unusual_share": 0.25}, "pixels and --unusual-share exclude each other"),
    ],
)
def test_options_without_frames_are_refused(settings: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        config(**settings)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"pixels": replace(PIXELS, camera="front")}, "has no camera 'front'"),
        ({"pixels": replace(PIXELS, capacity=41)}, r"2 scenes x 21 = 42"),
        ({"pixels": replace(PIXELS, size=8)}, "8 x 8 pixels is too small for 2 convolutions"),
    ],
)
def test_frames_that_do_not_fit_are_refused(settings: dict[str, Any], text: str) -> None:
    require_opengl()
    with pytest.raises(ConfigError, match=text):
        SkillRecipe().check(config(phi={"input_scale": "typical"}, **settings))


def test_a_world_without_a_camera_is_refused() -> None:
    with pytest.raises(ConfigError, match="has no camera; the worlds with cameras are"):
        SkillRecipe().check(config(world="gymnasium:Pendulum-v1"))
