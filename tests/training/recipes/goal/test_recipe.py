"""``skill-train goal``: small runs that are stopped, continued, exported and compared."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from tests.support.children import child_process
from tests.support.training_runs import start_run, train

from skill_proto.manifest import METADATA_KEY, PolicyManifest
from skill_training.algorithms.context_sac import ContextSac
from skill_training.cli import main
from skill_training.collection.episode_collector import run_episodes
from skill_training.context.objective import ContrastiveConfig
from skill_training.errors import DivergedError, NothingToShipError
from skill_training.export.calibration import hold_out
from skill_training.nets.encoder import EncoderConfig
from skill_training.nets.finite import check_parts
from skill_training.recipes.goal import evaluation as goal_evaluation
from skill_training.recipes.goal import recipe as goal
from skill_training.recipes.goal.config import GoalConfig, GoalRunSettings, GoalSacConfig
from skill_training.recipes.goal.recipe import GoalLearner, build_algorithm
from skill_training.recipes.goal.world import GoalTaskConfig, GoalWorld
from skill_training.run import checkpoint, job, policy_export
from skill_training.run.directory import RunDirectory
from skill_training.run.metrics_log import read
from skill_training.run.trainer import Trainer

STEPS, ROUND = 10, 80
CSF = Path(__file__).parents[4] / "models" / "csf_panda.onnx"


def _config(**settings: object) -> GoalConfig:
    """Six rounds of eight scenes, two of them with the initial policy."""
    small: dict[str, object] = {
        "hidden": (16, 16),
        "encoder": EncoderConfig(hidden=8),
        "start_from": None,
        "episodes_per_block": 4,
        "updates_per_block": 3,
        "batch_size": 16,
        "actor_frozen_updates": 5,
        "contrastive": ContrastiveConfig(batch=4),
    }
    return GoalConfig(
        algorithm=GoalSacConfig(**{**small, **settings}),
        task=GoalTaskConfig(episode_steps=STEPS, scenes_per_task=4),
        run=GoalRunSettings(
            n_envs=8,
            env_steps=6 * ROUND,
            warmup_steps=2 * ROUND,
            env_steps_per_update=16,
            replay_capacity=400,
            log_interval=ROUND,
            eval_interval=10_000,
            eval_goals=2,
            final_eval_goals=2,
            checkpoint_interval=ROUND,
        ),
    )


@pytest.fixture(autouse=True)
def few_conditions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shortens evaluations and calibration from minutes to seconds."""
    monkeypatch.setattr(goal_evaluation, "CONTEXTS", {"mu0.1": ((0.8, 0.8), (0.1, 0.1))})
    monkeypatch.setattr(goal_evaluation, "QUICK", ("mu0.1",))
    monkeypatch.setattr(goal, "CALIBRATION_EPISODES", 32)


def _weights(trainer: Trainer) -> torch.Tensor:
    assert isinstance(trainer.learner, GoalLearner)
    algorithm = trainer.learner.algorithm
    parts = (algorithm.actor, algorithm.critic, algorithm.encoder, algorithm.head)
    parts += (algorithm.average, algorithm.momentum, algorithm.target_critic)
    values = [value for part in parts for value in part.state_dict().values()]
    return torch.cat([value.flatten() for value in values])


# Every kind of run --------------------------------------------------------------------------------


@pytest.mark.parametrize("sampling", ["tesac", "ccm", "satesac", "saccm"])
@pytest.mark.parametrize("loss", ["nce", "sigmoid"])
def test_every_objective_trains(sampling: str, loss: str, tmp_path: Path) -> None:
    term = ContrastiveConfig(sampling=sampling, loss=loss, batch=4)
    config = _config(contrastive=term, supervised=sampling == "tesac" and loss == "sigmoid")
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    train(trainer)
    assert trainer.updates == 4 * ROUND // 16
    rows = read(tmp_path / "run" / "metrics.jsonl")
    names = {name for row in rows for name in row}
    assert {"train/critic/loss", "train/actor/entropy", "final/trained/by_2400ms"} <= names
    assert "final/mu0.1/zeroed_by_1600ms" in names
    assert "final/r2_friction/after_600ms" not in names  # no episode lasts so long after contact
    assert ("train/context/contrastive_loss" in names) is (sampling != "tesac")
    assert all(np.isfinite(value) for row in rows for value in row.values())


def test_the_contrastive_term_is_in_the_log(tmp_path: Path) -> None:
    config = _config()
    trainer = Trainer(config, start_run(config, tmp_path / "run"))
    train(trainer)
    rows = read(tmp_path / "run" / "metrics.jsonl")
    logged = [row["train/context/contrastive_loss"] for row in rows if "train/critic/loss" in row]
    assert len(logged) == 4


@pytest.mark.parametrize("knowledge", ["inferred", "told", "untold"])
def test_a_resumed_run_equals_an_uninterrupted_one(knowledge: str, tmp_path: Path) -> None:
    config = _config(knowledge=knowledge)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=4 * ROUND)
    second = Trainer(config, directory)
    second.resume()
    assert second.env_steps == 4 * ROUND
    train(second, at=second.env_steps)
    assert torch.equal(_weights(second), _weights(whole))
    assert second.final_metrics == whole.final_metrics


def test_a_run_resumes_without_its_initial_policy_file(tmp_path: Path) -> None:
    path = tmp_path / "start.onnx"
    path.write_bytes(CSF.read_bytes())
    config = _config(start_from=path, hidden=(256, 256))
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole, until=3 * ROUND)
    directory = start_run(config, tmp_path / "broken")
    train(Trainer(config, directory), until=2 * ROUND)
    path.unlink()
    second = Trainer(config, directory)
    second.resume()
    train(second, until=3 * ROUND, at=second.env_steps)
    assert torch.equal(_weights(second), _weights(whole))


@pytest.mark.parametrize("knowledge", ["inferred", "told", "untold"])
def test_a_training_that_diverges_stops_before_its_next_round(
    knowledge: str, tmp_path: Path
) -> None:
    config = _config(knowledge=knowledge, learning_rate=1e20)
    directory = start_run(config, tmp_path / "run")
    trainer = Trainer(config, directory)
    with pytest.raises(DivergedError, match=r"gradient step \d.*--goal\.learning-rate 1e\+20"):
        train(trainer)
    assert trainer.env_steps == 3 * ROUND  # the first with gradient steps
    kept = Trainer(config, directory)
    kept.resume()
    assert kept.env_steps == 2 * ROUND
    check_parts(kept.learner.stateful())


# Export -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run that started from the skill policy, with its file and card."""
    path = tmp_path_factory.mktemp("goal") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(goal_evaluation, "CONTEXTS", {"mu0.1": ((0.8, 0.8), (0.1, 0.1))})
        patch.setattr(goal_evaluation, "QUICK", ("mu0.1",))
        patch.setattr(goal, "CALIBRATION_EPISODES", 32)
        directory = start_run(_config(start_from=CSF, hidden=(256, 256)), path)
        assert job.train(directory)
    return directory


def _session(directory: RunDirectory) -> tuple[ort.InferenceSession, PolicyManifest]:
    session = ort.InferenceSession(directory.policy, providers=["CPUExecutionProvider"])
    text = session.get_modelmeta().custom_metadata_map[METADATA_KEY]
    return session, PolicyManifest.from_json(text)


def _trained(directory: RunDirectory) -> tuple[GoalConfig, ContextSac]:
    config = directory.config()
    assert isinstance(config, GoalConfig)
    algorithm = build_algorithm(config, torch.device("cpu"))
    algorithm.load_state_dict(checkpoint.load(directory.checkpoint)["learner"]["algorithm"])
    return config, algorithm


def test_the_file_reproduces_contexts_and_actions_of_an_episode(exported: RunDirectory) -> None:
    config, algorithm = _trained(exported)
    n, steps = 4, 100
    world = GoalWorld(replace(config.task, episode_steps=steps), n, seed=77)
    world.reset()
    start = algorithm.average.encoder.initial_state(n)
    episodes, _ = run_episodes(world, algorithm, start, deterministic=True)
    inputs = (episodes.observation, episodes.previous_action, start)
    with torch.no_grad():
        contexts = algorithm.average.encoder(*inputs)[0].numpy()
    session, _ = _session(exported)
    feed = {
        "previous_action": np.zeros((n, 3), np.float32),
        "lstm_h": np.zeros((n, 8), np.float32),
        "lstm_c": np.zeros((n, 8), np.float32),
    }
    names = [tensor.name for tensor in session.get_outputs()]
    for t in range(steps):
        feed |= {"observation": episodes.observation[:, t].numpy()}
        feed |= {"goal": episodes.goal[:, t].contiguous().numpy()}
        given = dict(zip(names, session.run(names, feed), strict=True))
        np.testing.assert_allclose(given["context"], contexts[:, t], atol=1e-5)
        np.testing.assert_allclose(given["action"], episodes.action[:, t], atol=1e-5)
        feed |= {"previous_action": given["action"]}
        feed |= {"lstm_h": given["next_lstm_h"], "lstm_c": given["next_lstm_c"]}
    assert float(np.abs(contexts[:, 0] - contexts[:, -1]).max()) > 1e-2


def test_the_manifest_describes_the_recurrent_state(exported: RunDirectory) -> None:
    _, manifest = _session(exported)
    assert manifest.name == "goal_panda"
    assert [(state.name, state.shape) for state in manifest.recurrent] == [
        ("lstm_h", (8,)),
        ("lstm_c", (8,)),
    ]
    assert {state.trained_horizon_steps for state in manifest.recurrent} == {STEPS}
    assert {state.beyond_horizon for state in manifest.recurrent} == {"carry"}
    context = manifest.context
    assert context is not None
    assert context.size == len(context.center) == len(context.whitening) == 6
    judged = {estimate.name for estimate in (*context.estimates, *context.unidentified)}
    assert judged == {"cube_mass", "cube_table_friction"}
    assert manifest.trained_on["cube_mass"].high == 4.8
    assert manifest.trained_on["cube_table_friction"].low == 0.06
    assert manifest.skill.kind == "none"
    assert manifest.evaluation is not None
    assert "trained/by_2400ms" in manifest.evaluation.metrics


def test_the_card_names_the_initial_policy_file(exported: RunDirectory) -> None:
    card = exported.card.read_text()
    assert "csf_panda.onnx" in card
    assert "goal" in card


def test_the_calibrated_distance_holds_for_held_out_contexts(exported: RunDirectory) -> None:
    """95 % of held-out contexts are within 1, also on scenes without part in the calibration."""
    config, algorithm = _trained(exported)
    _, manifest = _session(exported)
    assert manifest.context is not None
    center, whitening = np.array(manifest.context.center), np.array(manifest.context.whitening)
    shares, single = [], replace(config.task, scenes_per_task=1, context_change_share=0.0)
    for seed in (goal_evaluation.EVALUATION_SEED + 2, 5):
        held = hold_out(algorithm, GoalWorld(single, 32, seed=seed))
        late = held.contexts[:, (STEPS + 1) // 2 :].reshape(-1, 6)
        distance = np.linalg.norm((late - center) @ whitening.T, axis=1)
        shares.append(np.mean(distance / manifest.context.typical_distance <= 1.0))
    assert shares[0] == pytest.approx(0.95, abs=0.01)
    assert shares[1] > 0.8


def test_a_run_is_exported_without_its_initial_policy_file(
    exported: RunDirectory, tmp_path: Path
) -> None:
    config = exported.config()
    text = (exported.path / "config.json").read_text()
    moved = tmp_path / "moved"
    moved.mkdir()
    for name in ("run.json", "checkpoint.pt"):
        (moved / name).write_bytes((exported.path / name).read_bytes())
    (moved / "config.json").write_text(text.replace(str(CSF), "elsewhere/gone.onnx"))
    assert config != RunDirectory(moved).config()
    policy_export.export(RunDirectory(moved), moved / "policy.onnx")
    first, second = _session(exported)[0], _session(RunDirectory(moved))[0]
    random = np.random.default_rng(0)
    feed = {
        tensor.name: random.normal(size=(3, tensor.shape[1])).astype(np.float32)
        for tensor in first.get_inputs()
    }
    for ours, theirs in zip(first.run(None, feed), second.run(None, feed), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_context_free_policy_is_exported_without_recurrent_state(tmp_path: Path) -> None:
    directory = start_run(_config(knowledge="untold"), tmp_path / "run")
    assert job.train(directory)
    session, manifest = _session(directory)
    assert not manifest.recurrent
    assert manifest.context is None
    assert {tensor.name for tensor in session.get_outputs()} == {"action"}
    assert "lstm_h" not in {tensor.name for tensor in session.get_inputs()}


def test_a_policy_with_the_true_context_is_not_exported(tmp_path: Path) -> None:
    directory = start_run(_config(knowledge="told"), tmp_path / "run")
    with pytest.raises(NothingToShipError, match="the true mass and friction cannot be served"):
        job.train(directory)
    assert not directory.policy.exists()
    assert read(directory.path / "metrics.jsonl")[-1]["final/trained/by_2400ms"] >= 0


def test_an_export_of_a_policy_with_the_true_context_is_refused_clearly(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = _config(knowledge="told")
    Trainer(config, start_run(config, tmp_path / "run")).save()
    with pytest.raises(SystemExit) as exit_info:
        main(["export", str(tmp_path / "run"), "--out", str(tmp_path / "goal.onnx")])
    said = "".join(capfd.readouterr())
    assert exit_info.value.code == 2
    assert "given the true mass and friction cannot be served" in said
    assert "Traceback" not in said
    assert not (tmp_path / "goal.onnx").exists()


# As a process -------------------------------------------------------------------------------------

FLAGS: dict[str, str] = {
    "goal.start-from": "None",
    "goal.hidden": "16 16",
    "goal.encoder.hidden": "8",
    "goal.episodes-per-block": "4",
    "goal.updates-per-block": "3",
    "goal.batch-size": "16",
    "goal.actor-frozen-updates": "5",
    "goal.contrastive.sampling": "saccm",
    "goal.contrastive.batch": "4",
    "task.episode-steps": "10",
    "task.scenes-per-task": "4",
    "n-envs": "8",
    "warmup-steps": "160",
    "env-steps-per-update": "16",
    "replay-capacity": "400",
    "log-interval": "80",
    "eval-interval": "10000000",
    "checkpoint-interval": "80",
    "env-steps": "400000",
    "run-dir": "run",
}


def test_a_killed_run_continues_to_the_same_end(
    skill_train_command: list[str], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "run" / "checkpoint.pt"
    flags = [word for name, value in FLAGS.items() for word in (f"--{name}", *value.split())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with child_process(
        [*skill_train_command, "goal", *flags],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            deadline = time.monotonic() + 250
            while not checkpoint.is_file():
                assert process.poll() is None, process.communicate()[1]
                assert time.monotonic() < deadline
                time.sleep(0.05)
        finally:
            os.kill(process.pid, signal.SIGKILL)
    directory = RunDirectory(tmp_path / "run")
    config = directory.config()
    killed = Trainer(config, directory)
    killed.resume()
    done = killed.env_steps
    assert done >= ROUND
    # Both end some updates after the round at which the process was killed.
    until = max(done, 2 * ROUND) + 2 * ROUND
    train(killed, until=until, at=done)
    whole = Trainer(config, start_run(config, tmp_path / "whole"))
    train(whole, until=until)
    assert killed.env_steps == whole.env_steps == until
    assert killed.updates == whole.updates > 0
    assert torch.equal(_weights(killed), _weights(whole))


def test_the_program_refuses_scenes_that_do_not_divide_into_tasks(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as exit_info:
        main(["goal", "--goal.start-from", "None", "--n-envs", "12", "--run-dir", "nowhere/run"])
    assert exit_info.value.code == 2
    assert "--n-envs 12 is not a multiple" in "".join(capfd.readouterr())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_run_on_cuda_resumes_and_exports(tmp_path: Path) -> None:
    config = _config()
    config = replace(config, run=replace(config.run, device="cuda"))
    directory = start_run(config, tmp_path / "run")
    train(Trainer(config, directory), until=3 * ROUND)
    assert job.train(directory)
    assert directory.policy.is_file()
