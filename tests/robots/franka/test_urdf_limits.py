"""Limits from a robot's URDF: published values come back, and any other text has one error."""

from __future__ import annotations

import re
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support import published_fr3

from skill_robots.franka.specs import FR3, PANDA
from skill_robots.franka.urdf_limits import (
    MAX_BYTES,
    UrdfError,
    limits_from_urdf,
    spec_from_urdf,
)

URDF = published_fr3.urdf()
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE robot [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY a{i + 1} "{f"&a{i or str()};" * 10}">' for i in range(9))
    + ']><robot name="&a9;"/>'
)
FILE = '<!DOCTYPE robot [<!ENTITY secret SYSTEM "file:///etc/passwd">]><robot name="&secret;"/>'


@pytest.mark.parametrize("prefix", ["", "fr3_", "left_fr3_", "cell/"])
def test_published_limits_come_back(prefix: str) -> None:
    limits = limits_from_urdf(published_fr3.urdf(prefix=prefix))
    near_end = limits.position_based_velocity_limit
    assert limits.position_low.tolist() == list(published_fr3.LOWER)
    assert limits.position_high.tolist() == list(published_fr3.UPPER)
    assert limits.velocity_limit.tolist() == list(published_fr3.VELOCITY)
    assert near_end is not None
    assert near_end.offset.tolist() == list(published_fr3.OFFSET)
    assert near_end.deceleration.tolist() == list(published_fr3.DECELERATION)


def test_an_arm_takes_the_limits_of_its_urdf() -> None:
    spec = spec_from_urdf(FR3, URDF)
    near_end = spec.position_based_velocity_limit
    assert near_end is not None
    assert near_end.offset[0] == 0.652
    assert spec.name == FR3.name
    assert spec.acceleration_limit is FR3.acceleration_limit
    assert spec.kinematics is FR3.kinematics
    with pytest.raises(ValueError, match="read-only"):
        spec.velocity_limit[0] = 9.0


def test_an_older_system_keeps_the_published_bound_on_its_narrower_range() -> None:
    """Ranges of robot systems before 5.9; their URDF has no position-based velocity limits."""
    low = (-2.7437, -1.7837, -2.9007, -3.0421, -2.8065, 0.5445, -3.0159)
    high = (2.7437, 1.7837, 2.9007, -0.1518, 2.8065, 4.5169, 3.0159)
    text = published_fr3.urdf(position_based=False)
    for published, older in ((published_fr3.LOWER, low), (published_fr3.UPPER, high)):
        for i in published_fr3.JOINTS:
            head, joint = text.split(f'name="fr3_joint{i}"')
            joint = joint.replace(f'er="{published[i - 1]}"', f'er="{older[i - 1]}"', 1)
            text = f'{head}name="fr3_joint{i}"{joint}'
    spec = spec_from_urdf(FR3, text)
    assert spec.position_low.tolist() == list(low)
    assert spec.position_high.tolist() == list(high)
    assert spec.position_based_velocity_limit is FR3.position_based_velocity_limit


def test_the_limits_of_another_arm_are_refused() -> None:
    with pytest.raises(UrdfError, match=r"type 'panda'.*joint"):
        spec_from_urdf(PANDA, URDF)
    slow = URDF.replace('velocity="5.26"', 'velocity="2.61"')
    with pytest.raises(UrdfError, match=r"velocity limit \[rad/s\] of joint 5 is 2.61"):
        spec_from_urdf(FR3, slow)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("<robot ", "<model ", "begins with 'model', expected <robot>"),
        ('name="fr3_joint4"', 'name="elbow"', "no revolute joint4"),
        ('name="fr3_joint4"', 'name="fr3_joint3"', "two joints 3"),
        ('type="revolute"', 'type="prismatic"', "no revolute joint1, joint2"),
        ('lower="-1.8361"', 'lower="left"', "lower of 'fr3_joint2' in the URDF is 'left'"),
        ('lower="-1.8361"', 'lower="nan"', "is 'nan', expected a number"),
        ('lower="-1.8361"', 'lower="-1e999"', "is '-1e999', expected a number"),
        ('lower="-1.8361"', 'lower="1_0"', "is '1_0', expected a number"),
        ('lower="-1.8361"', "", "has no attribute 'lower'"),
        ('lower="-1.8361"', 'lower="1.9"', "'fr3_joint2' of the URDF does not have an upper"),
        ('velocity="4.18"', 'velocity="0"', "a positive velocity limit"),
        ('velocity_offset="0.25"', 'velocity_offset="-1"', "a velocity offset of at least 0"),
        ('velocity_offset="0.25"', 'velocity_offset="9"', "above 0 in the middle"),
        ('deceleration_limit="2.585"', 'deceleration_limit="0"', "a positive deceleration"),
        ("</limit>", "", "not well-formed"),
        ("</robot>", "", "not well-formed"),
        ("<limit effort", "<limits effort", "'fr3_joint1' of the URDF has no <limit>"),
        ("</joint>", "<limit/></joint>", "two elements <limit>"),
    ],
)
def test_each_mistake_is_named(old: str, new: str, says: str) -> None:
    text = URDF.replace(old, new) if old in URDF else URDF + old
    with pytest.raises(UrdfError, match=says):
        limits_from_urdf(text)


def test_a_bound_of_some_joints_only_is_refused() -> None:
    text = re.sub(r'<position_based_velocity_limits deceleration_limit="2.585"[^>]*>', "", URDF)
    with pytest.raises(UrdfError, match="'fr3_joint2' of the URDF has no <position_based"):
        limits_from_urdf(text)


@pytest.mark.parametrize("text", [BOMB, FILE, BOMB.replace("robot", "r")])
def test_entities_are_refused_before_they_expand(text: str) -> None:
    with pytest.raises(UrdfError, match="document type declaration"):
        limits_from_urdf(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not well-formed"),
        ("<robot/>", "no revolute joint1"),
        ("<robot>" + "<link>" * 60_000, "nests more than"),
        ("<robot>" + " " * MAX_BYTES, "more than 1,048,576"),
        ("<robot>\ud800</robot>", "UTF-8"),
        ('<?xml version="1.0" encoding="utf-16"?><robot/>', "URDF"),
        ("<robot>\x00</robot>", "not well-formed"),
        (f'<robot><joint name="{"x" * 1000}_joint1" type="revolute"/></robot>', "no revolute"),
    ],
)
def test_extreme_texts_have_an_error(text: str, says: str) -> None:
    with pytest.raises(UrdfError, match=says) as caught:
        limits_from_urdf(text)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_joints_of_other_elements_are_not_those_of_the_arm() -> None:
    """The commands of ros2_control and the fingers have joints of the same names."""
    other = '<ros2_control><joint name="fr3_joint1" type="revolute"/></ros2_control></robot>'
    assert limits_from_urdf(URDF.replace("</robot>", other)).position_low[0] == -2.9007


@given(st.text())
def test_any_text_has_the_documented_error(text: str) -> None:
    with pytest.raises(UrdfError):
        limits_from_urdf(text)


@given(
    st.integers(0, len(URDF)), st.integers(0, 40), st.text(max_size=12) | st.sampled_from("<>&\"'/")
)
def test_a_damaged_urdf_has_the_documented_error_or_sane_limits(
    at: int, length: int, text: str
) -> None:
    damaged = URDF[:at] + text + URDF[at + length :]
    with suppress(UrdfError):
        spec = spec_from_urdf(FR3, damaged)
        assert (spec.position_low < spec.position_high).all()
        assert (np.abs(spec.position_low - FR3.position_low) <= 0.3).all()
        assert (np.abs(spec.position_high - FR3.position_high) <= 0.3).all()
        assert (spec.velocity_limit <= 1.5 * FR3.velocity_limit).all()


@given(
    st.lists(st.floats() | st.text(max_size=8), min_size=5, max_size=5),
    st.sampled_from(range(1, 8)),
)
def test_any_value_of_a_joint_has_the_documented_error_or_sane_limits(
    values: list[float | str], number: int
) -> None:
    names = ("lower", "upper", "velocity", "velocity_offset", "deceleration_limit")
    begin = URDF.index(f'name="fr3_joint{number}"')
    head, joint = URDF[:begin], URDF[begin:]
    for name, value in zip(names, values, strict=True):
        quoted = str(value).replace("\\", "").replace('"', "")
        joint = re.sub(rf'\b{name}="[^"]*"', f'{name}="{quoted}"', joint, count=1)
    with suppress(UrdfError):
        spec = spec_from_urdf(FR3, head + joint)
        assert np.isfinite(spec.velocity_limit).all()
        assert (spec.position_low < spec.position_high).all()
