"""skill-eval as a user runs it: a real process on a real policy file."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest

from skill_robots.motion.policy_adapter import UnsupportedPolicyError
from skill_robots.observation import manifest_fields
from skill_robots.tasks.baselines import make_baseline
from skill_robots.tasks.skill_aware.benchmark import CELLS, SPLITS, Cell, benchmark, cell_name
from skill_robots.tasks.skill_aware.engines import make_scenes
from skill_robots.tasks.skill_aware.scenes import OBSERVATION
from skill_runtime.evaluation.fan_plot import skill_colours
from skill_runtime.evaluation.skill_aware import check_fits
from skill_runtime.evaluation.tabletop import (
    METRICS,
    EvaluationSettings,
    evaluate,
    task_for,
    total_steps,
)
from skill_runtime.policy.onnx_policy import OnnxPolicy, load_manifest

PolicyFileFactory = Callable[..., Path]
PROGRAM = Path(sys.executable).parent / "skill-eval"
SMALL = ("--skills", "4", "--episodes", "1", "--goals", "2")
QUICK = EvaluationSettings(skills=4, episodes=2, goals=8)


def skill_eval(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def refused(*arguments: object) -> str:
    """What the program says when it refuses: exit code 2, no traceback, nothing computed."""
    result = skill_eval(*arguments)
    assert result.returncode == 2, result
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr + result.stdout


def test_a_good_run_writes_report_json_and_picture(policy_file: Path, tmp_path: Path) -> None:
    report, picture = tmp_path / "new" / "report.json", tmp_path / "fan.png"
    result = skill_eval(
        "--model", policy_file, *SMALL, "--seed", 3, "--json", report, "--plot", picture
    )
    assert result.returncode == 0, result.stderr
    for name in METRICS:
        assert name in result.stdout
    content = json.loads(report.read_text())
    settings = content.pop("settings")
    assert list(content) == list(METRICS)
    assert content["moved_share_3cm"] >= 0.75
    assert content["phi_singular_value_ratio"] == 1.0
    assert content["governor_interventions"] == 0
    assert settings["seed"] == 3
    assert settings["mass"] == [0.4, 1.6]
    assert settings["model_sha256"] == hashlib.sha256(policy_file.read_bytes()).hexdigest()
    assert settings["command"].startswith(f"skill-eval --model {policy_file}")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_baseline_needs_no_model(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = skill_eval("--baseline", "ou", *SMALL, "--json", report)
    assert result.returncode == 0, result.stderr
    content = json.loads(report.read_text())
    assert content["phi_singular_value_ratio"] is None
    assert content["settings"]["model"] is None
    assert content["settings"]["baseline"] == "ou"


def test_neither_torch_nor_matplotlib_is_loaded(policy_file: Path) -> None:
    code = (
        "import sys\n"
        f"sys.argv = ['skill-eval', '--model', {str(policy_file)!r}, *{SMALL!r}]\n"
        "from skill_runtime.cli.evaluate import main\n"
        "main()\n"
        "assert not {'torch', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give one of --model FILE and --baseline NAME"),
        (["--model", "a.onnx", "--baseline", "iid"], "give one of"),
        (["--model", "nowhere.onnx"], "there is no such file"),
        (["--baseline", "ou", "--skills", "0"], "--skills takes a number from 1"),
        (["--baseline", "ou", "--seed", "-1"], "--seed takes a number from 0"),
        (["--baseline", "ou", "--mass", "2", "1"], "--mass LO HI takes a range"),
        (["--baseline", "ou", "--mass", "0", "1"], "--mass LO HI takes a range"),
        (["--baseline", "ou", "--friction", "nan", "1"], "--friction LO HI takes a range"),
        (["--baseline", "ou", "--mass", "1"], "--mass"),
        (["--baseline", "best"], "--baseline"),
        (["--baseline", "ou", "--skils", "3"], "--skils"),
        (["--baseline", "ou", "--json", "."], "is a folder"),
        (["--baseline", "ou", "--task", "pour"], "--task"),
        (["--baseline", "ou", "--engine", "bullet"], "--engine: for --task skill-aware, not for"),
        (
            ["--baseline", "ou", "--task", "skill-aware", "--skills", "3", "--plot", "a.png"],
            "--skills, --plot: for --task tabletop, not for skill-aware",
        ),
        (["--baseline", "ou", "--task", "skill-aware", "--threads", "2"], "PyBullet has none"),
        (["--baseline", "ou", "--task", "skill-aware", "--episodes", "0"], "--episodes takes"),
    ],
)
def test_mistyped_commands_are_explained(arguments: list[str], said: str) -> None:
    assert said in refused(*arguments)


def test_bad_files_are_explained(
    policy_file: Path, tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(policy_file.read_bytes()[:1000])
    assert "cannot be read as an ONNX model" in refused("--model", cut)
    blank = make_policy_file(tmp_path, filename="blank.onnx", manifest="")
    assert "carries no manifest" in refused("--model", blank)


def test_a_place_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "report.json"
    assert "cannot write" in refused("--baseline", "still", *SMALL, "--json", path)


def test_a_missing_matplotlib_is_explained_before_anything_runs() -> None:
    code = (
        "import sys\n"
        "sys.modules['matplotlib'] = None\n"
        "sys.argv = ['skill-eval', '--baseline', 'ou', '--plot', 'fan.png']\n"
        "from skill_runtime.cli.evaluate import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, timeout=120, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert result.stderr == (
        "skill-eval: --plot needs matplotlib; install it with: pip install 'skill-serve[viz]'\n"
    )


# The evaluation itself --------------------------------------------------------------------------


def test_the_hand_written_pusher_pushes(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    result = evaluate(policy, policy.manifest, QUICK)
    metrics = {name: value for name, value in result.metrics.items() if value is not None}
    assert list(metrics) == list(METRICS)
    assert metrics["moved_share_10cm"] >= 0.75
    assert metrics["goal_share_5cm"] >= 0.75
    assert metrics["direction_consistency"] > 0.9


def test_the_same_seed_gives_the_same_numbers(policy_file: Path) -> None:
    policy = OnnxPolicy(policy_file)
    first = evaluate(policy, policy.manifest, QUICK)
    again = evaluate(policy, policy.manifest, QUICK)
    other = evaluate(policy, policy.manifest, EvaluationSettings(skills=4, goals=8, seed=1))
    assert first.metrics == again.metrics
    assert first.metrics != other.metrics


def test_doing_nothing_scores_nothing() -> None:
    result = evaluate(make_baseline("still", 3), None, QUICK)
    assert result.metrics["moved_share_3cm"] == 0.0
    assert result.metrics["displacement_cells_2cm"] == 1.0
    assert result.metrics["governor_interventions"] == 0


def test_steps_are_reported_as_they_were_announced(policy_file: Path) -> None:
    taken: list[int] = []
    policy = OnnxPolicy(policy_file)
    evaluate(policy, policy.manifest, QUICK, on_steps=taken.append)
    assert sum(taken) == total_steps(policy.manifest, QUICK)


def test_contexts_are_those_of_the_manifest_unless_told(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    ranges = {
        "cube_mass": {"low": 0.1, "high": 0.2, "unit": "kg"},
        "cube_table_friction": {"low": 0.3, "high": 0.4, "unit": "1"},
    }
    manifest = load_manifest(make_policy_file(tmp_path, trained_on=ranges))
    task = task_for(manifest, EvaluationSettings())
    assert (task.mass, task.friction) == ((0.1, 0.2), (0.3, 0.4))
    told = task_for(manifest, EvaluationSettings(mass=(3.0, 4.0), start="high"))
    assert (told.mass, told.friction, told.start) == ((3.0, 4.0), (0.3, 0.4), "high")
    silent = load_manifest(make_policy_file(tmp_path, trained_on={}))
    assert task_for(silent, EvaluationSettings()).mass == (0.4, 1.6)


def test_a_policy_without_goals_has_no_goal_metrics(policy_file: Path) -> None:
    manifest = load_manifest(policy_file).model_copy(update={"goal": None})
    result = evaluate(make_baseline("iid", 3), manifest, QUICK)
    assert result.goals is None
    assert result.metrics["goal_share_5cm"] is None
    assert result.metrics["moved_share_3cm"] is not None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control_rate_hz": 50.0}, "50 Hz"),
        ({"action.scale": 0.02}, "evaluate it on the plant it was trained on"),
        ({"plant.velocity_limit_share": 0.5}, "limit_share=0.5"),
    ],
)
def test_a_policy_for_another_plant_is_refused(
    policy_file: Path, changes: dict[str, Any], said: str
) -> None:
    manifest = load_manifest(policy_file)
    if "action.scale" in changes:
        part = manifest.action[0].model_copy(update={"scale": changes["action.scale"]})
        changes = {"action": (part,)}
    if "plant.velocity_limit_share" in changes:
        share = changes["plant.velocity_limit_share"]
        changes = {"plant": manifest.plant.model_copy(update={"velocity_limit_share": share})}
    with pytest.raises(UnsupportedPolicyError, match=said):
        evaluate(make_baseline("iid", 3), manifest.model_copy(update=changes), QUICK)


def test_colours_are_of_equal_weight_and_inside_the_gamut() -> None:
    angle = np.linspace(0.0, 2 * np.pi, 49)
    colours = skill_colours(np.column_stack([np.cos(angle), np.sin(angle)]))
    assert colours.min() >= 0.0
    assert colours.max() <= 1.0
    assert colours[0] == pytest.approx(colours[-1])
    # Relative luminance (sRGB); that of a full hue circle at full saturation spans .07 to .93.
    luminance = colours**2.2 @ np.array([0.2126, 0.7152, 0.0722])
    assert np.ptp(luminance) < 0.15


# Policies that take goals alone and remember -----------------------------------------------------


def test_a_goal_policy_with_a_memory_is_scored_on_goals_alone(goal_file: Path) -> None:
    policy = OnnxPolicy(goal_file)
    result = evaluate(policy, policy.manifest, QUICK)
    assert result.skills is None
    assert result.metrics["moved_share_3cm"] is None
    rest = result.metrics["goal_rest_share_3cm_by_2400ms"]
    reached = result.metrics["goal_share_5cm"]
    assert rest is not None
    assert reached is not None
    assert reached >= 0.75
    assert 0.0 <= rest <= 1.0
    assert evaluate(policy, policy.manifest, QUICK).metrics == result.metrics


def test_what_a_goal_policy_cannot_do_is_refused_before_anything_runs(
    goal_file: Path, tmp_path: Path
) -> None:
    for flag, value in (("--skills", 3), ("--episodes", 2), ("--plot", tmp_path / "fan.png")):
        assert f"{flag}: push_to_goal takes goals, no skills" in refused(
            "--model", goal_file, flag, value
        )


# The skill-aware benchmark -----------------------------------------------------------------------

SKILL_AWARE_ACTION = [
    {"name": "end_effector_displacement", "size": 3, "scale": 0.05, "unit": "m", "frame": "world"},
    {"name": "gripper_width_displacement", "size": 1, "scale": 0.2, "unit": "m", "frame": "none"},
]


@pytest.fixture
def skill_aware_file(
    tmp_path: Path, make_policy_file: PolicyFileFactory, make_manifest: Callable[..., Any]
) -> Path:
    """Moves the hand to above the goal: nobody's idea of a good policy, but a real file."""
    model = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,23] observation, float[batch,4] previous_action, float[batch,2] goal)
          => (float[batch,4] action)
        <int64[2] hand = {0, 1}, float gain = {5}, int64[4] pads = {0, 0, 0, 2}>
        { at = Gather <axis = 1> (observation, hand)
          away = Sub (goal, at)
          wanted = Mul (away, gain)
          action = Pad (wanted, pads) }"""
    )
    plant = make_manifest().plant.model_dump() | {"task": "skill_aware"}
    return make_policy_file(
        tmp_path,
        filename="reach.onnx",
        model=model,
        name="reach",
        observation=[field.model_dump() for field in manifest_fields(OBSERVATION)],
        action=SKILL_AWARE_ACTION,
        skill={"kind": "none", "size": 0},
        representation=None,
        plant=plant,
    )


@pytest.fixture
def bullet() -> None:
    pytest.importorskip("panda_gym", reason="panda-gym is not installed")


@pytest.mark.usefixtures("bullet")
def test_the_benchmark_reports_every_cell_and_split(skill_aware_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ("--model", skill_aware_file, "--task", "skill-aware", "--episodes", 2)
    result = skill_eval(*arguments, "--seed", 5, "--json", report)
    assert result.returncode == 0, result.stderr
    content = json.loads(report.read_text())
    names = [cell_name(cell) for cell in CELLS]
    assert list(content["cells"]) == list(content["labels"]) == names
    for split, cells in SPLITS.items():
        mean = np.mean([content["cells"][cell_name(cell)] for cell in cells])
        assert content["success"][split] == pytest.approx(mean)
        assert f"{split} {mean:.3f}" in result.stdout
    for shares in content["labels"].values():
        assert sum(shares.values()) == pytest.approx(1.0)
    settings = content["settings"]
    assert (settings["task"], settings["engine"], settings["seed"]) == ("skill-aware", "bullet", 5)


def test_the_benchmark_runs_on_mujoco_too(skill_aware_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    arguments = ("--model", skill_aware_file, "--task", "skill-aware", "--engine", "mujoco")
    result = skill_eval(*arguments, "--episodes", 2, "--threads", 2, "--json", report)
    assert result.returncode == 0, result.stderr
    assert "skill-aware benchmark on mujoco, 2 episodes a cell" in result.stdout
    assert json.loads(report.read_text())["settings"]["engine"] == "mujoco"


@pytest.mark.usefixtures("bullet")
def test_the_benchmark_is_that_of_the_robots_package(skill_aware_file: Path) -> None:
    """What skill-eval prints is what the benchmark gives for the file, run directly."""
    scenes = make_scenes("bullet", 2)
    cells = (Cell(0.1, 1.0), Cell(30.0, 30.0))
    policy = OnnxPolicy(skill_aware_file)
    first = benchmark(policy, scenes, cells=cells, episodes=2, seed=1)
    again = benchmark(policy, scenes, cells=cells, episodes=2, seed=1)
    scenes.close()
    assert first == again


def test_a_policy_of_another_task_is_sent_there(policy_file: Path, skill_aware_file: Path) -> None:
    said = refused("--model", policy_file, "--task", "skill-aware")
    assert "evaluate it with --task tabletop" in said
    assert "evaluate it with --task skill-aware" in refused("--model", skill_aware_file)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"control_rate_hz": 50.0}, "acts at \\[Hz\\] 50.0"),
        ({"goal": None}, "aims at None"),
        ({"action.scale": 0.04}, "acts by .*0.04"),
        ({"observation": ()}, "observes"),
    ],
)
def test_a_policy_that_does_not_fit_the_benchmark_is_refused(
    skill_aware_file: Path, changes: dict[str, Any], said: str
) -> None:
    manifest = load_manifest(skill_aware_file)
    if "action.scale" in changes:
        part = manifest.action[0].model_copy(update={"scale": changes["action.scale"]})
        changes = {"action": (part, manifest.action[1])}
    with pytest.raises(UnsupportedPolicyError, match=said):
        check_fits(manifest.model_copy(update=changes))


def test_a_missing_engine_is_explained() -> None:
    code = (
        "import sys\n"
        "sys.modules['panda_gym'] = sys.modules['pybullet'] = None\n"
        "sys.argv = ['skill-eval', '--baseline', 'still', '--task', 'skill-aware']\n"
        "from skill_runtime.cli.evaluate import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], check=False, timeout=120, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert "pip install 'skill-serve[bullet]'" in result.stderr
    assert "Traceback" not in result.stderr
