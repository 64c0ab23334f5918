"""skill-doctor --arm against the simulated control box, as a user runs both."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from skill_robots.franka.specs import FR3
from skill_runtime.doctor.control_box.examination import selected_tests

pytestmark = pytest.mark.slow

DOCTOR = [sys.executable, "-m", "skill_runtime.cli.doctor"]
BOX = [sys.executable, "-m", "skill_runtime.cli.control_box"]
MAX_SLIP_S = 0.02
STARVED = "communication_constraints_violation"
HOST = f"127.43.{os.getpid() % 250 + 1}"


@pytest.fixture(scope="module", params=["fer", "fr3"])
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Any]:
    """The file of a whole examination, with the robot and the answers by test."""
    robot: str = request.param
    folder = tmp_path_factory.mktemp(robot)
    address = f"{HOST}.{1 if robot == 'fer' else 2}"
    report, file = folder / "box.json", folder / "answers.json"
    command = [*BOX, "--robot", robot, "--address", address, "--json", str(report)]
    with (folder / "box.log").open("w") as log:
        box = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        wait_until_ready(box, folder / "box.log")
        done = doctor("--arm", address, "--move", "--seconds", "0.5", "--json", str(file))
        again = doctor("--arm", address, "--seconds", "0.1", "--compare", str(file))
    finally:
        box.send_signal(signal.SIGTERM)
        box.wait(10)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(file.read_text())
    tests = {entry["name"]: entry for entry in found["tests"]}
    slip_s = json.loads(report.read_text())["slip_s"]
    starved = any(
        STARVED in ((tests[name]["answer"] or {}).get("reflex_reason", []))
        for name in ("hold", "float_without_torque", "silent_15_ms")
    )
    if slip_s > MAX_SLIP_S or starved:
        pytest.skip(f"inconclusive on this busy machine: slip {slip_s} s, starved: {starved}")
    return found | {"robot": robot, "by_name": tests, "printed": done.stdout, "again": again}


def doctor(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*DOCTOR, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)


def wait_until_ready(box: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        if "user stop" in log.read_text():
            return
        assert box.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"the box is not ready after 10 s: {log.read_text()}")


def answer(answers: dict[str, Any], name: str) -> dict[str, Any]:
    entry = answers["by_name"][name]
    assert entry["error"] is None, entry
    return entry["answer"]


def test_every_question_has_an_answer(answers: dict[str, Any]) -> None:
    assert answers["protocol_version"] == {"fer": 5, "fr3": 10}[answers["robot"]]
    assert list(answers["by_name"]) == [test.name for test in selected_tests(move=True)]
    for name in answers["by_name"]:
        assert answer(answers, name)
    for test in selected_tests(move=True):
        assert test.question in answers["printed"]
    assert HOST not in json.dumps(answers["tests"])


def test_states_arrive_once_a_millisecond(answers: dict[str, Any]) -> None:
    found = answer(answers, "state_stream")
    assert found["bytes"] == {
        str({"fer": 2373, "fr3": 1377}[answers["robot"]]): pytest.approx(1000, abs=30)
    }
    assert found["rate_hz"] == pytest.approx(1000, rel=0.03)
    assert found["missing"] == found["out_of_order"] == 0


def test_a_robot_at_rest_is_described(answers: dict[str, Any]) -> None:
    found = answer(answers, "condition")
    assert (found["robot_mode"], found["errors"]) == ("idle", [])
    assert found["m_ee"] == [pytest.approx({"fer": 0.76, "fr3": 0.7126}[answers["robot"]])]
    assert found["f_t_ee"][14] == pytest.approx(0.1034)
    assert found["q"]["mean"][3] == pytest.approx(-2.35619, abs=1e-4)
    assert max(found["dq"]["std"]) < 1e-6


def test_the_model_is_recorded(answers: dict[str, Any]) -> None:
    found = answer(answers, "robot_model")
    assert found["status"] == 0
    assert len(found["sha256"]) == 64
    if answers["robot"] == "fer":
        assert found["begins_with"] == b"\x7fELF".hex()
    else:
        assert found["limits"]["velocity"] == FR3.velocity_limit.tolist()
        assert "not_an_fr3" not in found["limits"]
        assert found["urdf"].startswith("<?xml")


def test_settings_at_rest(answers: dict[str, Any]) -> None:
    thresholds = answer(answers, "collision_thresholds")
    assert thresholds["of_skill_serve"]["status"] == "success"
    assert thresholds["negative"]["status"] == "invalid_argument"
    assert answer(answers, "joint_impedance")["status"] == "success"
    assert answer(answers, "requests_at_rest")["robot_mode"] == "idle"


def test_the_gripper_is_described(answers: dict[str, Any]) -> None:
    found = answer(answers, "gripper_state")
    assert (found["version"], found["bytes"]) == (3, 23)
    assert found["max_width_m"] == pytest.approx(0.08, abs=1e-3)


@pytest.mark.parametrize("name", ["hold", "float_without_torque", "silent_15_ms"])
def test_motions_at_rest_end_as_asked(answers: dict[str, Any], name: str) -> None:
    found = answer(answers, name)
    assert found["move_statuses"] == ["motion_started", "success"]
    assert (found["errors"], found["mode_at_the_end"]) == ([], "idle")
    assert found["largest_joint_motion_rad"] < 1e-4
    least = 0.85 if name == "silent_15_ms" else 1.0
    assert found["success_rate"]["least"] <= least


@pytest.mark.parametrize(
    ("name", "errors", "after"),
    [
        ("silent_30_ms", [STARVED], 221),
        (
            "position_step",
            [
                "joint_motion_generator_velocity_discontinuity",
                "joint_motion_generator_acceleration_discontinuity",
            ],
            201,
        ),
        ("torque_step", ["controller_torque_discontinuity"], 201),
    ],
)
def test_mistakes_have_the_published_errors(
    answers: dict[str, Any], name: str, errors: list[str], after: int
) -> None:
    found = answer(answers, name)
    assert found["move_statuses"] == ["motion_started", "reflex_aborted"]
    assert found["errors"] == found["reflex_reason"] == errors
    # A state that the doctor read late is skipped, and counts for the robot alone.
    assert after - 25 <= found["ended_by_the_robot_after_states"] <= after
    assert found["recovery"] == "success"
    assert found["errors_after_recovery"] == []


def test_the_same_robot_answers_the_same(answers: dict[str, Any]) -> None:
    again: subprocess.CompletedProcess[str] = answers["again"]
    assert again.returncode == 0, again.stderr
    assert "\nno difference from " in again.stdout


def test_without_a_robot_the_message_names_the_fix() -> None:
    done = doctor("--arm", f"{HOST}.3")
    assert done.returncode == 2
    assert "activate FCI in Desk" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_program_that_is_no_robot_is_named() -> None:
    def answer_nonsense(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(b"\xff" * 64)

    with socket.create_server((f"{HOST}.4", 1337)) as server:
        thread = threading.Thread(target=answer_nonsense, args=(server,))
        thread.start()
        done = doctor("--arm", f"{HOST}.4")
        thread.join()
    assert done.returncode == 2
    assert "no Franka control unit" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("flags", [("--move",), ("--compare", "file.json")])
def test_some_flags_need_a_robot(flags: tuple[str, ...]) -> None:
    done = doctor(*flags)
    assert done.returncode == 2
    assert f"{flags[0]} needs --arm HOST" in done.stderr


def test_a_file_that_is_none_is_refused_before_the_examination(tmp_path: Path) -> None:
    done = doctor("--arm", f"{HOST}.5", "--compare", str(tmp_path / "missing.json"))
    assert done.returncode == 2
    assert "missing.json" in done.stderr
    assert "Traceback" not in done.stderr
