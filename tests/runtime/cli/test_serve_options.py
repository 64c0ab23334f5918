"""The command line of skill-serve; test_serve.py has its texts."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import get_type_hints

import pytest
import tyro

from skill_proto.files.shipped_models import shipped_models
from skill_robots.franka_driver.config import DriverConfig
from skill_runtime.cli import serve_options
from skill_runtime.cli.serve import server_options
from skill_runtime.cli.serve_options import REAL_SPEED, ServeOptions, check_options
from skill_runtime.console.flags import UsageError
from skill_runtime.processes.controller import driver_config


def parse(*words: str) -> ServeOptions:
    return tyro.cli(ServeOptions, args=["--model", "a.onnx", *words])


def test_the_defaults_can_be_served() -> None:
    arguments = parse()
    check_options(arguments)
    assert arguments == ServeOptions(model=Path("a.onnx"))


def test_without_a_model_a_simulated_arm_gets_the_default_one() -> None:
    arguments = tyro.cli(ServeOptions, args=[])
    check_options(arguments)
    assert server_options(arguments).model == shipped_models()["csf_panda"]


def test_a_model_has_a_name_and_an_unknown_one_lists_them() -> None:
    arguments = tyro.cli(ServeOptions, args=["--model", "goal_panda"])
    check_options(arguments)
    assert server_options(arguments).model == shipped_models()["goal_panda"]
    with pytest.raises(UsageError, match=r"no model 'gaol_panda'; models by name: .*goal_panda"):
        check_options(tyro.cli(ServeOptions, args=["--model", "gaol_panda"]))


def test_a_folder_makes_a_path_of_the_name_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = tyro.cli(ServeOptions, args=["--model", "./csf_panda"])
    assert server_options(arguments).model == tmp_path / "csf_panda"


def test_a_real_arm_has_no_default_model() -> None:
    arguments = tyro.cli(ServeOptions, args=["--arm", "franka", "--address", "a"])
    with pytest.raises(UsageError, match=r"--arm franka needs a policy.*csf_panda"):
        check_options(arguments)


def test_flags_have_no_prefix_of_their_group() -> None:
    arguments = parse("--port", "7000", "--mass", "0.5", "--servo-rate", "500")
    assert arguments.addresses.port == 7000
    assert arguments.scene.mass == 0.5
    assert arguments.timing.servo_rate == 500.0


def test_the_arm_may_hold_for_ever() -> None:
    check_options(parse("--stop-after", "inf"))
    with pytest.raises(UsageError, match="--stop-after"):
        check_options(parse("--stop-after", "0"))


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--arm", "franka"], "needs the address of the robot.* --address 172.16.0.2"),
        (["--arm", "franka", "--address", ""], "needs the address"),
        (["--address", "172.16.0.2"], "--arm mujoco is a simulation; give --arm franka"),
        (["--arm", "bullet", "--address", "a"], "--arm bullet is a simulation"),
        (["--speed", "0"], "--speed takes a number from 0.01 to 1, got 0"),
        (["--speed", "1.5"], "--speed takes a number from 0.01 to 1, got 1.5"),
        (
            ["--arm", "franka", "--address", "a", "--mass", "1", "--seed", "0"],
            "--mass, --seed: for a simulated arm only",
        ),
        (["--arm", "franka", "--address", "a", "--friction", ".5"], "--friction: for a simulated"),
        (["--recover"], "for a real arm; give --arm franka"),
        (["--no-gripper"], "for a real arm; give --arm franka"),
        (
            ["--arm", "franka", "--address", "a", "--collision-force", "0"],
            "--collision-force takes a number from 1 to 500 N, got 0",
        ),
        (
            ["--arm", "franka", "--address", "a", "--collision-torque", "88"],
            "--collision-torque takes a number from 1 to 87 N m, got 88",
        ),
    ],
)
def test_flags_of_another_arm_are_refused(words: list[str], error: str) -> None:
    with pytest.raises(UsageError, match=error):
        check_options(parse(*words))


@pytest.mark.parametrize(
    ("words", "missing", "error"),
    [
        (["--arm", "bullet"], {"pybullet"}, r"needs pybullet.*pip install 'skill-serve\[bullet\]'"),
        (["--arm", "bullet"], {"panda_gym"}, "needs panda_gym"),
        (
            ["--arm", "franka", "--address", "a"],
            {"franky", "panda_py"},
            r"neither franky-control nor panda-python.*pip install 'skill-serve\[franka\]'",
        ),
    ],
)
def test_a_missing_package_is_named_with_its_command(
    words: list[str], missing: set[str], error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_options, "_is_installed", lambda module: module not in missing)
    with pytest.raises(UsageError, match=error):
        check_options(parse(*words))


def test_a_real_arm_is_slower_unless_it_is_asked_to() -> None:
    assert parse().arm.share == 1.0
    assert parse("--arm", "franka").arm.share == REAL_SPEED
    assert parse("--arm", "franka", "--speed", "1").arm.share == 1.0
    assert parse("--speed", "0.2").arm.share == 0.2


def test_each_arm_is_served_with_its_own_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve_options, "_is_installed", lambda module: module != "franky")
    check_options(parse("--arm", "bullet", "--speed", "0.2", "--mass", "1"))
    check_options(parse("--arm", "franka", "--address", "172.16.0.2", "--speed", "0.2"))


def test_every_option_has_a_name_of_its_own() -> None:
    names: list[str] = []
    for field in fields(ServeOptions):
        group = get_type_hints(ServeOptions)[field.name]
        names += [part.name for part in fields(group)] if is_dataclass(group) else [field.name]
    assert len(names) == len(set(names))


def test_the_start_of_a_real_arm_reaches_its_driver() -> None:
    words = ["--recover", "--home-gripper", "--no-gripper"]
    words += ["--collision-force", "60", "--collision-torque", "30"]
    arguments = parse("--arm", "franka", "--address", "a", *words)
    config = driver_config(server_options(arguments).robot)
    default = DriverConfig()
    assert config == replace(
        default,
        recover_at_start=True,
        home_gripper=True,
        gripper=False,
        collision_force_n=(60.0,) * 3 + default.collision_force_n[3:],
        collision_torque_nm=(30.0,) * 4 + default.collision_torque_nm[4:],
    )
    assert driver_config(server_options(parse()).robot) == default
