"""Settings of the driver of a real arm."""

from __future__ import annotations

import pytest

from skill_robots.franka_driver.config import DriverConfig
from skill_runtime.processes.config import RobotStart
from skill_runtime.processes.controller import driver_config


def test_contacts_are_reported_from_a_lower_collision_threshold() -> None:
    config = driver_config(RobotStart(collision_force_n=12.0, collision_torque_nm=5.0))
    assert config.contact_force_n == (12.0,) * 3 + (20.0,) * 3
    assert config.contact_torque_nm == (5.0,) * 4 + (8.0,) * 3


@pytest.mark.parametrize("threshold", [None, 1.0, 20.0, 60.0])
def test_no_contact_threshold_is_above_that_of_a_collision(threshold: float | None) -> None:
    config = driver_config(RobotStart(collision_force_n=threshold, collision_torque_nm=threshold))
    pairs = [*zip(config.contact_force_n, config.collision_force_n, strict=True)]
    pairs += zip(config.contact_torque_nm, config.collision_torque_nm, strict=True)
    assert all(contact <= collision for contact, collision in pairs)


def test_the_default_is_that_of_the_driver() -> None:
    assert driver_config(RobotStart()) == DriverConfig()


def test_a_reduced_speed_slows_the_gripper_down() -> None:
    config = driver_config(RobotStart(), speed=0.2)
    assert config.gripper_speed == pytest.approx(0.02)  # of 0.1 m/s
