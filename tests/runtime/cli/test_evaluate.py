"""skill-eval as a user runs it: a real process on a real policy file."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tests.support.skill_aware_policy import write_skill_aware_policy_file

from skill_robots.tasks.skill_aware.benchmark import CELLS, SPLITS, cell_name
from skill_runtime.evaluation.tabletop import METRICS
from skill_runtime.policy import load_manifest

PolicyFileFactory = Callable[..., Path]
PROGRAM = Path(sys.executable).parent / "skill-eval"
SMALL = ("--skills", "4", "--episodes", "1", "--goals", "2")


def skill_eval(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False
    )


def refused(*arguments: object) -> str:
    """Returns the output of a command line that is refused with exit code 2."""
    result = skill_eval(*arguments)
    assert result.returncode == 2, result
    assert "Traceback" not in result.stderr + result.stdout
    return result.stderr + result.stdout


def test_onnx_runtime_writes_no_telemetry(policy_file: Path, tmp_path: Path) -> None:
    """Without the variable, ONNX Runtime 1.31 makes .cache/Microsoft in the home directory."""
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    command = [PROGRAM, "--model", policy_file, *SMALL]
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    assert not [path for path in tmp_path.rglob("*") if "onnxruntime" in path.name]


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
    assert content["direction_consistency"] is None  # of one episode a skill
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
        ([], "give one of --model MODEL and --baseline NAME"),
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
        (["--baseline", "ou", "--json", "."], "--json is empty, or '.', which is a folder"),
        (["--model", ""], "the name of the policy file is empty"),
        (["--baseline", "ou", "--task", "pour"], "--task"),
        (["--baseline", "ou", "--engine", "bullet", "--threads", "2"], "--threads is for MuJoCo"),
        (
            ["--baseline", "ou", "--task", "skill-aware", "--skills", "3", "--plot", "a.png"],
            "--skills, --plot: for --task tabletop, not for skill-aware",
        ),
        (
            ["--baseline", "ou", "--task", "skill-aware", "--threads", "2"],
            "PyBullet has no threads",
        ),
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
    pointer = tmp_path / "pointer.onnx"
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    assert "git lfs pull" in refused("--model", pointer)


def test_a_manifest_in_other_units_is_refused(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    action = {"name": "end_effector_displacement", "size": 3, "scale": 40.0}
    path = make_policy_file(tmp_path, action=[action | {"unit": "mm", "frame": "end_effector"}])
    said = refused("--model", path)
    assert "has the unit 'mm', expected 'm'" in said
    assert "has the frame 'end_effector', expected 'world'" in said


def test_differences_of_the_plant_are_in_report_and_json(
    tmp_path: Path, make_policy_file: PolicyFileFactory, policy_file: Path
) -> None:
    plant = json.loads(load_manifest(policy_file).to_json())["plant"]
    path = make_policy_file(tmp_path, plant=plant | {"robot": "ur5e"})
    report = tmp_path / "report.json"
    result = skill_eval("--model", path, *SMALL, "--json", report)
    assert result.returncode == 0, result.stderr
    remark = "trained on the robot 'ur5e', this arm is 'panda'"
    assert f"note: {remark}\n" in result.stdout
    assert json.loads(report.read_text())["settings"]["remarks"] == [remark]


def test_a_path_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
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


# Policies that take goals alone -------------------------------------------------------------------


def test_skill_flags_are_refused_for_a_goal_policy(goal_file: Path, tmp_path: Path) -> None:
    for flag, value in (("--skills", 3), ("--episodes", 2), ("--plot", tmp_path / "fan.png")):
        assert f"{flag}: push_to_goal takes goals, no skills" in refused(
            "--model", goal_file, flag, value
        )
    said = refused("--model", goal_file, "--goals", 0)
    assert "--goals 0: push_to_goal takes goals, no skills, so that nothing would be scored" in said


def test_a_goal_policy_has_no_episodes_of_skills(goal_file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    result = skill_eval("--model", goal_file, "--goals", 2, "--json", report)
    assert result.returncode == 0, result.stderr
    settings = json.loads(report.read_text())["settings"]
    assert (settings["skills"], settings["episodes"], settings["goals"]) == (0, 0, 2)


# The skill-aware benchmark -----------------------------------------------------------------------


@pytest.fixture
def skill_aware_file(tmp_path: Path) -> Path:
    return write_skill_aware_policy_file(tmp_path)


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


def test_a_policy_of_another_task_is_refused_with_its_task(
    policy_file: Path, skill_aware_file: Path
) -> None:
    said = refused("--model", policy_file, "--task", "skill-aware")
    assert "evaluate it with --task tabletop" in said
    assert "evaluate it with --task skill-aware" in refused("--model", skill_aware_file)


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


FAILING = """
from tests.robots.worlds.environments import Point


class Failing(Point):
    def step(self, action):
        raise ConnectionError("robot lost")
"""


def test_a_world_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "failing.py").write_text(FAILING)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}")
    text = refused("--baseline", "iid", "--world", "failing:Failing")
    assert "'failing:Failing' fails in its step: ConnectionError: robot lost" in text
    assert "failing.py, line 7" in text
