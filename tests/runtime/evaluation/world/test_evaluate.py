"""A policy that was trained in a world without an arm: evaluated there, and refused by arms."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import onnx
import onnx.parser
import pytest

import skill_training
from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.franka.specs import PANDA
from skill_robots.motion.policy_support import UnsupportedPolicyError, check_supported
from skill_robots.worlds.gymnasium_env.config import GymnasiumConfig
from skill_robots.worlds.registry import make_world
from skill_runtime.console.flags import UsageError
from skill_runtime.evaluation.dispatch import find_evaluation
from skill_runtime.evaluation.options import EvaluationOptions
from skill_runtime.evaluation.report import Outcome
from skill_runtime.policy import load_manifest
from skill_training.recipes.discovery.config import SkillRunSettings, default_skill_config

POINT = "tests.robots.worlds.environments:Point"

SMALL = SkillRunSettings(
    n_envs=4, env_steps=400, warmup_steps=80, eval_skills=4, final_eval_goals=2, eval_interval=160
)


def train(world: str, folder: Path) -> Path:
    """Trains for a second and returns the policy file."""
    config = default_skill_config("csf", world)
    config = replace(config, run=SMALL, task=replace(config.task, episode_steps=20))
    run = skill_training.RunDirectory(folder / "run")
    skill_training.start_or_continue(run, config)
    assert skill_training.train(run)
    return run.policy


@pytest.fixture(scope="module")
def half_cheetah(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("half_cheetah", tmp_path_factory.mktemp("half_cheetah"))


def evaluate(model: Path, **options: Any) -> Outcome:  # noqa: ANN401  passed on
    arguments = EvaluationOptions(model=model, **options)
    return find_evaluation(arguments)(arguments)


def test_coverage_and_goals_are_measured(half_cheetah: Path, tmp_path: Path) -> None:
    outcome = evaluate(half_cheetah, skills=6, goals=3)
    metrics = {name: value for name, value in outcome.content.items() if name != "settings"}
    assert metrics["coverage_cells"] >= 1
    assert 0 <= metrics["goal_staying_share"] <= 1
    assert metrics["lowest_0"] <= metrics["highest_0"]
    assert metrics["mean_episode_steps"] == 20
    settings = outcome.content["settings"]
    assert (settings["world"], settings["skills"], settings["goals"]) == ("half_cheetah", 6, 3)
    assert (settings["coordinates"], settings["unit"]) == (["rootx_position.0"], "m")
    assert (settings["cell"], settings["goal_radius"], settings["remarks"]) == (1.0, 3.0, [])
    assert "task" not in settings
    assert "coverage_cells" in outcome.table
    assert outcome.draw is not None
    outcome.draw(tmp_path / "paths.png")
    assert (tmp_path / "paths.png").stat().st_size > 1000


def test_the_metrics_of_the_card_are_those_of_the_command(half_cheetah: Path) -> None:
    manifest = load_manifest(half_cheetah)
    assert manifest.evaluation is not None
    measured = evaluate(half_cheetah, skills=4, goals=2).content
    card = manifest.evaluation.metrics
    for name in ("coverage_cells", "median_displacement", "goal_mean_distance", "mean_return"):
        assert measured[name] == pytest.approx(card[name], rel=1e-3), name


def test_an_arm_refuses_the_policy(half_cheetah: Path) -> None:
    with pytest.raises(UnsupportedPolicyError, match=r"world 'half_cheetah'.*no arm.*skill-eval"):
        check_supported(PANDA, load_manifest(half_cheetah))


def test_an_environment_of_a_stranger_must_be_named(tmp_path: Path) -> None:
    """A policy file must not choose the code that skill-eval imports."""
    model = train(POINT, tmp_path)
    with pytest.raises(
        UsageError, match=f"code of your own; if you trust it, add: --world {POINT}"
    ):
        evaluate(model)
    outcome = evaluate(model, world=POINT, skills=3)
    assert outcome.content["mean_episode_steps"] > 1
    assert outcome.draw is None
    with pytest.raises(
        UnsupportedPolicyError, match=f"trained in the world '{POINT}', not in 'ant'"
    ):
        evaluate(model, world="ant")


def changed(model: Path, folder: Path, **fields: Any) -> Path:  # noqa: ANN401  passed on
    """Returns a copy of a policy file with another manifest."""
    whole = onnx.load(model)
    manifest = json.loads(load_manifest(model).to_json()) | fields
    PolicyManifest.model_validate(manifest)
    for entry in whole.metadata_props:
        if entry.key == METADATA_KEY:
            entry.value = json.dumps(manifest)
    path = folder / "changed.onnx"
    onnx.save(whole, path)
    return path


TOWARDS = """
<ir_version: 10, opset_import: ["" : 20]>
towards (float[batch,18] observation, float[batch,1] goal) => (float[batch,6] action)
<int64[1] x = {0}, int64[2] shape = {1, 6}, float low = {-1}, float high = {1}>
{
  here = Gather <axis = 1> (observation, x)
  offset = Sub (goal, here)
  same = Expand (offset, shape)
  action = Clip (same, low, high)
}
"""
"""A policy of HalfCheetah that takes goals and no skills."""


TOWARDS_POINT = """
<ir_version: 10, opset_import: ["" : 20]>
towards (float[batch,2] observation, float[batch,1] goal) => (float[batch,1] action)
<int64[1] x = {0}, float two = {2}, float one = {1}, float three = {3}, float low = {-1},
 float high = {1}>
{
  here = Gather <axis = 1> (observation, x)
  offset = Sub (goal, here)
  command = Mul (offset, two)
  around = Sub (command, one)
  part = Div (around, three)
  action = Clip (part, low, high)
}
"""
"""A policy of the point that is at its goal after one step: half of a command in [-2, 4]."""


def goals_alone(model: Path, graph: str, folder: Path, goal: dict[str, Any], **fields: Any) -> Path:  # noqa: ANN401  passed on
    """Writes a policy that takes goals and no skills."""
    whole = onnx.parser.parse_model(graph)
    manifest = json.loads(load_manifest(model).to_json()) | fields
    manifest |= {"skill": {"kind": "none", "size": 0}, "representation": None}
    manifest["goal"] |= goal
    PolicyManifest.model_validate(manifest)
    whole.metadata_props.add(key=METADATA_KEY, value=json.dumps(manifest))
    onnx.save(whole, folder / "towards.onnx")
    return folder / "towards.onnx"


def test_a_policy_that_takes_goals_alone_gets_range_and_radius_of_its_file(
    half_cheetah: Path, tmp_path: Path
) -> None:
    space = {"low": [4.0], "high": [5.0], "stop_radius": 9.0}
    outcome = evaluate(goals_alone(half_cheetah, TOWARDS, tmp_path, space), goals=4)
    assert "coverage_cells" not in outcome.content
    assert outcome.content["goal_mean_distance"] == pytest.approx(4.5, abs=1.5)
    assert outcome.content["goal_staying_share"] == 1.0
    assert outcome.content["settings"]["skills"] == 0
    assert outcome.draw is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"goals": 0}, "--goals 0: csf_half_cheetah takes goals.*give a number"),
        ({"skills": 3}, "--skills: csf_half_cheetah takes goals, no skills; leave it out"),
        ({"skills": 3, "plot": Path("paths.png")}, "--skills, --plot: .* leave them out"),
    ],
)
def test_flags_that_goals_alone_cannot_have_are_refused(
    half_cheetah: Path, tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        evaluate(goals_alone(half_cheetah, TOWARDS, tmp_path, {}), **options)


def test_a_world_without_goals_of_its_own_takes_those_of_the_file(
    half_cheetah: Path, tmp_path: Path
) -> None:
    """The point declares coordinates, and neither a range nor a radius of goals."""
    config = GymnasiumConfig(environment=POINT, coordinates=("position",), episode_steps=5)
    made = make_world(config, 1)
    made.close()
    world: dict[str, Any] = {"name": POINT, "episode_steps": 5, "settings": asdict(config)}
    space = {"field": "position", "unit": "1", "low": [0.3], "high": [0.6], "stop_radius": 0.01}
    model = goals_alone(
        half_cheetah,
        TOWARDS_POINT,
        tmp_path,
        space,
        world=world,
        observation=[part.model_dump() for part in made.spec.observation],
        action=[part.model_dump() for part in made.spec.action],
    )
    outcome = evaluate(model, world=POINT, goals=4)
    assert outcome.content["goal_staying_share"] == 1.0
    with pytest.raises(UsageError, match=r"score are velocity\.0, but .* goals for position\.0"):
        evaluate(model, world=POINT, coordinates=("velocity",))
    world["settings"] |= {"coordinates": ()}
    nowhere = changed(model, tmp_path, world=world)
    with pytest.raises(UsageError, match=r"no coordinates.*--coordinates position\.0"):
        evaluate(nowhere, world=POINT)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"body": "ant"}, "contradicts itself"),
        ({"body": "half_cheetah", "speed": 3}, "settings of the world 'half_cheetah'.*speed"),
    ],
)
def test_a_manifest_that_contradicts_its_world_is_refused(
    half_cheetah: Path, tmp_path: Path, settings: dict[str, Any], text: str
) -> None:
    world = {"name": "half_cheetah", "episode_steps": 20, "settings": settings}
    with pytest.raises(UnsupportedPolicyError, match=text):
        evaluate(changed(half_cheetah, tmp_path, world=world))


def test_a_policy_for_another_version_of_the_world_is_refused(
    half_cheetah: Path, tmp_path: Path
) -> None:
    world = {"name": "walker", "episode_steps": 20, "settings": {"body": "walker"}}
    fields = json.loads(load_manifest(half_cheetah).to_json())["observation"]
    fields[1]["name"] = "height"
    path = changed(half_cheetah, tmp_path, world=world, observation=fields)
    with pytest.raises(UnsupportedPolicyError, match=r"has the observation.*but Walker2d has"):
        evaluate(path)


def test_a_policy_of_an_arm_takes_no_world(policy_file: Path) -> None:
    with pytest.raises(UsageError, match="--world ant: the policy was trained on an arm"):
        evaluate(policy_file, world="ant")


def test_settings_of_an_environment_must_be_confirmed(half_cheetah: Path, tmp_path: Path) -> None:
    """They are arguments of code, and a policy file is data."""
    name = "gymnasium:HalfCheetah-v5"
    settings = {"environment": name, "settings": ["xml_file=/etc/passwd"]}
    world = {"name": name, "episode_steps": 20, "settings": settings}
    with pytest.raises(UsageError, match=r"with the settings.*xml_file"):
        evaluate(changed(half_cheetah, tmp_path, world=world))


def test_the_coordinates_of_an_environment_are_chosen_for_the_score() -> None:
    arguments = EvaluationOptions(baseline="iid", world=POINT, skills=3)
    assert "coverage_cells" not in find_evaluation(arguments)(arguments).content
    chosen = replace(arguments, coordinates=("position",), cell=0.05)
    found = find_evaluation(chosen)(chosen).content
    assert found["coverage_cells"] > 3
    assert found["largest_displacement"] > 0.3
    assert "displacement_r2" not in found  # without skills
    settings = found["settings"]
    assert (settings["coordinates"], settings["unit"]) == (["position.0"], "1")
    assert settings["cell"] == 0.05


def test_an_undefined_r2_is_null_and_a_dash(half_cheetah: Path) -> None:
    """Three coefficients fit any three displacements."""
    outcome = evaluate(half_cheetah, skills=3, goals=0)
    assert outcome.content["displacement_r2"] is None
    row = next(line for line in outcome.table.splitlines() if "displacement_r2" in line)
    assert row.split() == ["displacement_r2", "-"]
    assert "goal_radius" not in outcome.content["settings"]


def test_differences_of_the_world_are_in_report_and_json(
    half_cheetah: Path, tmp_path: Path
) -> None:
    world = json.loads(load_manifest(half_cheetah).to_json())["world"] | {"episode_steps": 30}
    outcome = evaluate(changed(half_cheetah, tmp_path, world=world), skills=2, goals=0)
    remark = "trained in episodes of 30 control steps, these have 20"
    assert f"note: {remark}\n" in outcome.table
    assert outcome.content["settings"]["remarks"] == [remark]


def test_a_policy_of_other_bounds_of_the_action_is_refused(
    half_cheetah: Path, tmp_path: Path
) -> None:
    action = json.loads(load_manifest(half_cheetah).to_json())["action"]
    action[0]["scale"] = 0.5
    with pytest.raises(UnsupportedPolicyError, match=r"with the scale 0\.5 of actuator"):
        evaluate(changed(half_cheetah, tmp_path, action=action))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"world": "hopper", "cell": 0.1}, "hopper has its own coordinates"),
        ({"world": POINT, "coordinates": ("mass",)}, "coordinates of coverage.*no entry 'mass'"),
        ({"world": POINT, "cell": 0.1}, "--cell: .* has no coordinates here.*add --coordinates"),
        ({"world": POINT, "plot": Path("a.png")}, "--plot: .* has no coordinates to draw; add"),
        ({"cell": 0.1}, "for Gymnasium environments"),
    ],
)
def test_coordinates_that_do_not_exist_are_refused(
    options: dict[str, Any], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("skill_runtime.evaluation.world.evaluate.run_skills")  # before it runs
    arguments = EvaluationOptions(baseline="iid", skills=3, **options)
    with pytest.raises(UsageError, match=words):
        find_evaluation(arguments)(arguments)


def test_a_baseline_is_scored_in_a_world() -> None:
    arguments = EvaluationOptions(baseline="iid", world="hopper", skills=3)
    outcome = find_evaluation(arguments)(arguments)
    assert outcome.content["coverage_cells"] >= 1
    with_goals = replace(arguments, goals=3)
    score = find_evaluation(with_goals)
    with pytest.raises(UsageError, match="takes no goals"):
        score(with_goals)


def test_hidden_quantities_are_named_and_their_set_is_chosen() -> None:
    arguments = EvaluationOptions(baseline="still", world="crippled_hopper", skills=2)
    outcome = find_evaluation(arguments)(arguments)
    assert "hidden (train): mass_scale 0.5 to 1.5, crippled_thigh 0 to 0" in outcome.table
    assert "crippled_hopper: 2 episodes of 1000 steps" in outcome.table
    chosen = replace(arguments, contexts="extreme")
    found = find_evaluation(chosen)(chosen)
    assert found.content["settings"]["contexts"] == "extreme"
    assert found.content["settings"]["hidden"]["crippled_thigh"] == (0.0, 1.0)
    assert "hidden (extreme): mass_scale 0.25 to 2, crippled_thigh 0 to 1" in found.table
    wrong = replace(chosen, world="hopper")
    with pytest.raises(UsageError, match="--contexts: hopper has no sets of hidden quantities"):
        find_evaluation(wrong)(wrong)


def test_sets_of_contexts_are_not_for_an_arm(policy_file: Path) -> None:
    with pytest.raises(UsageError, match="--contexts: for worlds with hidden quantities"):
        evaluate(policy_file, contexts="extreme")
