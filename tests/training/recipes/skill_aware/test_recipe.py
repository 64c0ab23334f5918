"""``skill-train tesac|ccm|satesac|saccm``: small runs on the benchmark, and their exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.support.training_runs import start_run, train

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_robots.motion.action import ActionConfig
from skill_robots.observation import layout
from skill_robots.tasks.engine import EngineMissingError
from skill_robots.tasks.skill_aware.benchmark import (
    CELLS,
    EPISODE_STEPS,
    SPLITS,
    TRAIN,
    ContextAware,
    cell_name,
)
from skill_robots.tasks.skill_aware.mujoco_model import MOTOR_DAMPING, MOTOR_RATE
from skill_robots.tasks.skill_aware.scenes import CUBE_REST_HEIGHT_M, OBSERVATION
from skill_training.algorithms.context_sac import ContextSac
from skill_training.cli import main
from skill_training.collection.episode_collector import run_episodes
from skill_training.errors import ConfigError, DivergedError, NothingToShipError
from skill_training.export.calibration import served_contexts
from skill_training.nets.encoder import EncoderConfig
from skill_training.nets.finite import check_parts
from skill_training.recipes.skill_aware import recipe
from skill_training.recipes.skill_aware.config import METHODS, BenchmarkConfig, BenchmarkRunSettings
from skill_training.recipes.skill_aware.manifest import training_data
from skill_training.recipes.skill_aware.policy import evaluation_policy
from skill_training.recipes.skill_aware.recipe import BenchmarkLearner, build_algorithm
from skill_training.recipes.skill_aware.world import SkillAwareTaskConfig, SkillAwareWorld
from skill_training.run import checkpoint, job, policy_export
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import read
from skill_training.run.trainer import Trainer

N, STEPS = 4, 20
ROUND = N * STEPS
PLACE = layout(OBSERVATION)


def _config(
    method: str = "saccm", *, engine: str = "mujoco", **settings: object
) -> BenchmarkConfig:
    """Five rounds of four short episodes, eight demonstrations before the first."""
    kind = METHODS[method]
    small: dict[str, object] = {
        "hidden": (16, 16),
        "encoder": EncoderConfig(hidden=8),
        "demonstrations": 8,
        "episodes_per_block": 4,
        "updates_per_block": 3,
        "batch_size": 16,
        "contrastive": replace(kind().contrastive, batch=4),
    }
    task = {"engine": engine, "episode_steps": STEPS}
    for name in ("contexts", "friction", "mass", "scenes_per_task"):
        if name in settings:
            task[name] = settings.pop(name)
    return BenchmarkConfig(
        algorithm=kind(**{**small, **settings}),
        task=SkillAwareTaskConfig(**task),
        run=BenchmarkRunSettings(
            n_envs=N,
            env_steps=5 * ROUND,
            warmup_steps=2 * ROUND,
            env_steps_per_update=16,
            replay_capacity=400,
            log_interval=ROUND,
            eval_interval=4 * ROUND,
            eval_episodes=1,
            final_eval_episodes=1,
            checkpoint_interval=ROUND,
        ),
    )


@pytest.fixture(autouse=True)
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "CALIBRATION_SCENES", 8)


def _algorithm(trainer: Trainer) -> ContextSac:
    assert isinstance(trainer.learner, BenchmarkLearner)
    return trainer.learner.algorithm


def _weights(trainer: Trainer) -> torch.Tensor:
    algorithm = _algorithm(trainer)
    parts = (algorithm.actor, algorithm.critic, algorithm.encoder, algorithm.head)
    parts += (algorithm.average, algorithm.momentum, algorithm.target_critic)
    values = [value for part in parts for value in part.state_dict().values()]
    return torch.cat([value.flatten() for value in values])


# Every method -------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["tesac", "saccm"])
def test_a_training_that_diverges_stops_before_its_next_round(method: str, tmp_path: Path) -> None:
    config = _config(method, learning_rate=1e20)
    directory = start_run(config, tmp_path / "run")
    trainer = Trainer(config, directory)
    with pytest.raises(DivergedError, match=rf"gradient step \d.*--{method}\.learning-rate 1e\+20"):
        train(trainer)
    assert trainer.env_steps == 3 * ROUND
    kept = Trainer(config, directory)
    kept.resume()
    assert kept.env_steps == 2 * ROUND
    check_parts(kept.learner.stateful())


@pytest.mark.parametrize(
    ("method", "settings"),
    [
        ("tesac", {}),
        ("ccm", {}),
        ("satesac", {}),
        ("saccm", {}),
        ("saccm", {"contexts": "range", "scenes_per_task": 2}),
        ("saccm", {"demonstrations": 0}),
        ("saccm", {"demonstrations": 0, "dagger": True}),
    ],
)
def test_every_method_trains(method: str, settings: dict[str, object], tmp_path: Path) -> None:
    config = _config(method, **settings)
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    train(trainer)
    assert trainer.updates == 3 * ROUND // 16
    rows = read(tmp_path / "run" / "metrics.jsonl")
    names = {name for row in rows for name in row}
    for stage in ("eval", "final"):
        assert {f"{stage}/success.{split}" for split in SPLITS} <= names
    assert {f"final/cell.{cell_name(cell)}" for cell in CELLS} <= names
    assert all(np.isfinite(value) for row in rows for value in row.values())
    assert ("train/actor/imitation" in names) is True
    shown = trainer.learner.state_dict()["replay"]["demonstrations"]
    assert (shown is None) is (config.algorithm.demonstrations == 0)


def test_methods_differ_only_in_their_contrastive_term() -> None:
    samplings = {name: kind().contrastive.sampling for name, kind in METHODS.items()}
    assert samplings == {name: name for name in ("tesac", "ccm", "satesac", "saccm")}
    bare = [
        {k: v for k, v in vars(kind()).items() if k != "contrastive"} for kind in METHODS.values()
    ]
    assert all(one == bare[0] for one in bare)
    assert len({replace(kind().contrastive, sampling="ccm") for kind in METHODS.values()}) == 1


def test_release_fault_5_a_splits_success_is_the_mean_of_its_cells(tmp_path: Path) -> None:
    config = _config()
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    metrics = trainer.learner.evaluate_full()
    for split, cells in SPLITS.items():
        mean = np.mean([metrics[f"cell.{cell_name(cell)}"] for cell in cells])
        assert metrics[f"success.{split}"] == pytest.approx(mean)
    assert all(0 <= value <= 1 for value in metrics.values())


@pytest.mark.parametrize("dagger", [False, True])
def test_a_resumed_run_equals_an_uninterrupted_one(dagger: bool, tmp_path: Path) -> None:
    config = _config(dagger=dagger)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=3 * ROUND)
    second = Trainer(config, directory)
    second.resume()
    assert second.env_steps == 3 * ROUND
    train(second, at=second.env_steps)
    assert torch.equal(_weights(second), _weights(whole))
    assert second.final_metrics == whole.final_metrics


def test_the_demonstrator_labels_the_policys_own_episodes(tmp_path: Path) -> None:
    config = _config(dagger=True)
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    train(trainer, until=2 * ROUND)
    replay = trainer.learner.state_dict()["replay"]
    own, shown = replay["store"], replay["demonstrations"]
    assert own["label"].shape == (2 * N, STEPS, 4)
    assert not torch.allclose(own["label"], own["action"])
    assert own["demonstrated"][:, 0].all()
    assert shown["label"].shape == (8, STEPS, 4)


def test_labels_that_nothing_imitates_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"--saccm\.dagger .* --saccm\.imitation-weight 0"):
        _config(dagger=True, imitation_weight=0.0)


def test_on_bullet(tmp_path: Path) -> None:
    pytest.importorskip("pybullet")
    config = _config(engine="bullet")
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    trainer.learner.collect_round()
    before = _weights(trainer).clone()
    for _ in range(4):
        metrics = trainer.learner.update()
    assert all(bool(value.isfinite()) for value in metrics.values())
    assert not torch.equal(_weights(trainer), before)
    replay = trainer.learner.state_dict()["replay"]
    assert replay["store"]["observation"].shape == (N, STEPS + 1, 23)
    assert replay["demonstrations"]["action"].shape == (8, STEPS, 4)


# Export -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run of SaCCM with its file and card."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipe, "CALIBRATION_SCENES", 8)
        directory = start_run(_config(), tmp_path_factory.mktemp("saccm") / "run")
        assert job.train(directory)
    return directory


def _session(directory: RunDirectory) -> tuple[ort.InferenceSession, PolicyManifest]:
    session = ort.InferenceSession(directory.policy, providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    return session, PolicyManifest.from_json(text)


def test_the_file_reproduces_contexts_and_actions_of_an_episode(exported: RunDirectory) -> None:
    config = exported.config()
    assert isinstance(config, BenchmarkConfig)
    algorithm = build_algorithm(config, torch.device("cpu"))
    algorithm.load_state_dict(checkpoint.load(exported.checkpoint)["learner"]["algorithm"])
    steps = EPISODE_STEPS
    world = SkillAwareWorld(replace(config.task, episode_steps=steps), N, seed=77)
    world.reset()
    start = algorithm.average.encoder.initial_state(N)
    episodes, _ = run_episodes(world, algorithm, start, deterministic=True)
    world.close()
    # In the first half of the scenes the cube lies at the goal from the tenth observation on.
    goal = episodes.goal[: N // 2, :1]
    episodes.observation[: N // 2, 10:, PLACE["cube_position"]] = torch.cat(
        (goal, torch.full_like(goal[..., :1], CUBE_REST_HEIGHT_M)), dim=-1
    )
    episodes.action[: N // 2, 10:] = 0.0
    contexts = served_contexts(algorithm, episodes).numpy()
    unrolled = algorithm.average.encoder(*episodes.encoder_inputs)[0].detach().numpy()
    np.testing.assert_allclose(contexts[N // 2 :], unrolled[N // 2 :], atol=1e-5)
    for time in (9, 10, 20):
        np.testing.assert_array_equal(contexts[: N // 2, time], contexts[: N // 2, 9])
        assert time == 9 or np.abs(unrolled - contexts)[: N // 2, time].max() > 1e-3
    session, _ = _session(exported)
    names = [tensor.name for tensor in session.get_outputs()]
    feed = {
        "previous_action": np.zeros((N, 4), np.float32),
        "lstm_h": np.zeros((N, 8), np.float32),
        "lstm_c": np.zeros((N, 8), np.float32),
    }
    for t in range(steps):
        feed |= {"observation": episodes.observation[:, t].numpy()}
        feed |= {"goal": episodes.goal[:, t].contiguous().numpy()}
        given = dict(zip(names, session.run(names, feed), strict=True))
        np.testing.assert_allclose(given["context"], contexts[:, t], atol=1e-5)
        np.testing.assert_allclose(given["action"], episodes.action[:, t], atol=1e-5)
        feed |= {"previous_action": given["action"]}
        feed |= {"lstm_h": given["next_lstm_h"], "lstm_c": given["next_lstm_c"]}


def test_the_manifest(exported: RunDirectory) -> None:
    _, manifest = _session(exported)
    assert manifest.name == "saccm_panda"
    plant = manifest.plant
    assert plant.task == "skill_aware"
    assert plant.displacement_origin == "measured"
    # The benchmark's motors, and the limits of serving.
    assert plant.joint_damping == tuple(MOTOR_DAMPING)
    assert plant.joint_stiffness == tuple(MOTOR_RATE * MOTOR_DAMPING)
    assert plant.max_setpoint_error_m == ActionConfig().max_setpoint_error
    assert manifest.observation_names == OBSERVATION
    assert [(part.name, part.size, part.scale) for part in manifest.action] == [
        ("end_effector_displacement", 3, 0.05),
        ("gripper_width_displacement", 1, 0.2),
    ]
    assert {state.trained_horizon_steps for state in manifest.recurrent} == {STEPS}
    # The six cells: labels 0.1 to 10 are coefficients of 0.05 to 5.
    mass, friction = manifest.trained_on["cube_mass"], manifest.trained_on["cube_table_friction"]
    assert (mass.low, mass.high) == (1.0, 10.0)
    assert (friction.low, friction.high) == (0.05, 5.0)
    context = manifest.context
    assert context is not None
    judged = {estimate.name for estimate in (*context.estimates, *context.unidentified)}
    assert judged == {"cube_mass", "cube_table_friction"}
    assert manifest.evaluation is not None
    assert set(SPLITS) <= {name.removeprefix("success.") for name in manifest.evaluation.metrics}


def test_estimates_have_the_units_of_the_range(exported: RunDirectory) -> None:
    """An untrained head estimates the middle of the trained range, not twice the middle."""
    config = _config()
    algorithm = build_algorithm(config, torch.device("cpu"))
    cells = np.array([(cell.mass, cell.friction / 2) for cell in TRAIN])
    middle = np.exp(np.log(cells).mean(0))
    np.testing.assert_allclose(algorithm.truth_mean.exp().numpy(), middle, rtol=1e-5)


def test_the_card_describes_the_training_data(exported: RunDirectory) -> None:
    card = exported.card.read_text()
    for words in ("Physics: mujoco", "six training cells", "8 demonstrations", "Switch"):
        assert words in card, words


@pytest.mark.parametrize(
    ("end_speed", "words"),
    [
        (None, "until the cube is within 5 cm of the goal; there the policy stops. "),
        (0.1, "where the episode ends and the policy stops once the cube is slower than 0.1 m/s. "),
    ],
)
def test_the_card_says_when_an_episode_ends(end_speed: float | None, words: str) -> None:
    config = _config()
    ended = replace(config, task=replace(config.task, end_speed=end_speed))
    assert words in training_data(ended)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trained_on_a_range_is_exported(method: str, tmp_path: Path) -> None:
    config = _config(method, contexts="range", scenes_per_task=4)
    directory = start_run(config, tmp_path / "run")
    Trainer(config, directory).save()
    policy_export.export(directory, directory.policy)
    context = _session(directory)[1].context
    assert context is not None
    assert len((*context.estimates, *context.unidentified)) == 2


@pytest.mark.parametrize(
    ("knowledge", "kind"),
    [("told", "that is given the true context"), ("untold", "without a context")],
)
def test_bounds_are_trained_and_not_exported(knowledge: str, kind: str, tmp_path: Path) -> None:
    config = _config(knowledge=knowledge)
    directory = start_run(config, tmp_path / "run")
    trainer = Trainer(config, directory)
    trainer.learner.collect_round()
    trainer.learner.update()
    trainer.save()
    with pytest.raises(NothingToShipError, match=f"a policy {kind} is a bound"):
        policy_export.export(directory, tmp_path / "policy.onnx")


@pytest.mark.parametrize("knowledge", ["told", "untold", "inferred"])
def test_every_policy_is_evaluated_with_its_own_knowledge(knowledge: str) -> None:
    algorithm = build_algorithm(_config(knowledge=knowledge), torch.device("cpu"))
    policy = evaluation_policy(algorithm)
    policy.reset(2)
    friction, mass = np.array([0.1, 10.0]), np.array([10.0, 1.0])
    assert isinstance(policy, ContextAware) is (knowledge == "told")
    if isinstance(policy, ContextAware):
        policy.set_true_context(friction, mass)
    random = np.random.default_rng(0)
    observation, goal = random.normal(size=(2, 23)), random.normal(size=(2, 2))
    action = policy.act(observation, goal=goal)
    given = torch.tensor(observation).float(), torch.tensor(goal).float()
    truth = torch.tensor(np.log([[10.0, 0.05], [1.0, 5.0]])).float()
    with torch.no_grad():
        contexts = {
            "told": algorithm.true_context(truth),
            "untold": torch.zeros(2, 6),
            "inferred": algorithm.average.encoder.step(
                given[0], torch.zeros(2, 4), algorithm.encoder.initial_state(2)
            )[0],
        }
    for name, context in contexts.items():
        expected = algorithm.act(*given, context, deterministic=True).numpy()
        assert np.allclose(action, expected, atol=1e-5) is (name == knowledge)


# Mistakes -----------------------------------------------------------------------------------------


def test_a_missing_engine_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object) -> None:
        raise EngineMissingError("pybullet")

    monkeypatch.setattr("skill_training.recipes.skill_aware.world.make_scenes", missing)
    with pytest.raises(ConfigError, match="needs pybullet"):
        start_run(_config(engine="bullet"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--task.friction", "0", "1"], "--task.friction 0.0 1.0 is not a range"),
        (
            ["--task.contexts", "range", "--task.friction", "4", "5", "--task.mass", "8", "9"],
            "lie within the held-out box",
        ),
        (["--replay-capacity", "10"], "is less than one round of episodes"),
        (["--task.engine", "gazebo"], "gazebo"),
        (["--saccm.contrastive.batch", "2"], "batch"),
    ],
)
def test_mistakes_are_explained(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    engine = () if "--task.engine" in arguments else ("--task.engine", "mujoco")
    with pytest.raises(SystemExit) as exit_info:
        main(["saccm", *engine, *arguments])
    said = "".join(capfd.readouterr())
    assert exit_info.value.code == 2
    assert words in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())
