"""The rules for skills, goals and other bounded vectors."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skill_proto.manifest import GoalSpace, SkillSpace
from skill_proto.vectors import (
    BOUND_TOLERANCE,
    VectorError,
    check_goals,
    goal_names,
    normalise_skills,
    within,
)

SPHERE = SkillSpace(kind="sphere", size=2)
ONE_HOT = SkillSpace(kind="one_hot", size=3)
BOX = GoalSpace(
    field="cube_position",
    components=(0, 1),
    unit="m",
    frame="world",
    stop_radius=0.02,
    low=(-0.15, -0.3),
    high=(0.15, 0.3),
)


@pytest.mark.parametrize("length", [1.0, 5.0, 500.0, 1e300, 1e-5])
def test_only_the_direction_of_a_skill_on_a_sphere_counts(length: float) -> None:
    skills = np.array([[0.6, 0.8], [-0.8, 0.6]]) * length
    np.testing.assert_allclose(
        normalise_skills(skills, SPHERE), [[0.6, 0.8], [-0.8, 0.6]], rtol=1e-15
    )


def test_multiples_of_a_skill_are_equal_to_the_last_bit() -> None:
    skills = np.array([[0.6, 0.8], [3, 4], [300, 400]])
    normalised = normalise_skills(skills, SPHERE)
    assert (normalised == [0.6, 0.8]).all()


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=2).filter(lambda v: math.hypot(*v) > 1))
def test_a_skill_of_any_length_gets_length_one(skill: list[float]) -> None:
    normalised = normalise_skills(np.array([skill]), SPHERE)[0]
    assert math.hypot(*normalised) == pytest.approx(1, abs=1e-15)
    assert normalised[0] * skill[1] == pytest.approx(normalised[1] * skill[0], abs=1e-10)


@pytest.mark.parametrize(
    "skill", [[0.0, 0.0], [1e-7, 0.0], [1.7e308, 1.7e308], [math.nan, 1.0], [math.inf, 0.0]]
)
def test_a_skill_without_a_direction_is_refused(skill: list[float]) -> None:
    with pytest.raises(VectorError, match="no direction") as caught:
        normalise_skills(np.array([[1.0, 0.0], skill]), SPHERE)
    assert str(caught.value).startswith("skill, row 1 [")
    with pytest.raises(VectorError, match=r"^skill \["):
        normalise_skills(np.array([skill]), SPHERE)


def test_a_one_hot_skill_is_checked_row_by_row() -> None:
    valid = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], np.float32)
    assert (normalise_skills(valid, ONE_HOT) == valid).all()
    for wrong in ([0, 0, 0], [1, 1, 0], [0.5, 0.5, 0], [0, 0, 2], [1, 0, math.nan], [2, -1, 0]):
        with pytest.raises(VectorError, match=r"row 1 .* is not one-hot"):
            normalise_skills(np.array([[0, 0, 1], wrong], np.float64), ONE_HOT)


def test_a_long_vector_is_cut_in_the_text() -> None:
    with pytest.raises(VectorError) as caught:
        normalise_skills(np.zeros((1, 1000)), SkillSpace(kind="sphere", size=1000))
    assert len(str(caught.value)) < 120


def test_a_goal_rounded_to_single_precision_is_set_to_the_bound() -> None:
    corners = np.array([[0.15, 0.3], [-0.15, -0.3]], np.float32)
    assert (check_goals(corners, BOX) == [[0.15, 0.3], [-0.15, -0.3]]).all()
    inside = np.array([[0.1, -0.2]])
    assert (check_goals(inside, BOX) == inside).all()


@pytest.mark.parametrize("beyond", [1.1e-6, 1e-3, 5.0, 1e300, math.inf, math.nan])
def test_a_goal_outside_of_the_box_is_refused_with_its_row(beyond: float) -> None:
    goals = np.array([[0.0, 0.0], [0.1, -0.3 - beyond]])
    with pytest.raises(
        VectorError, match=r"^goal, row 1: cube_position\[1\] = .* is outside "
    ) as e:
        check_goals(goals, BOX)
    assert str(e.value).endswith("outside -0.3 to 0.3 m")
    assert e.value.fix == "send cube_position[1] within these bounds"


def test_the_text_shows_how_a_value_differs_from_its_bound() -> None:
    with pytest.raises(VectorError, match=r"cube_position\[0\] = 0\.1500012 m is outside"):
        check_goals(np.array([[0.1500012, 0.0]]), BOX)
    with pytest.raises(VectorError, match=r"= 0\.1500012 m is outside"):
        check_goals(np.array([[0.1500012, 0.0]], np.float32), BOX)


def test_names_of_a_goal_are_components_of_its_field() -> None:
    space = BOX.model_copy(update={"components": (2, 0)})
    assert goal_names(space) == ("cube_position[2]", "cube_position[0]")


def test_a_large_bound_has_a_tolerance_in_proportion() -> None:
    bound = 1000.7
    assert within(np.array([[bound]], np.float32), [-bound], [bound], ["x"], "m", "goal") == bound
    with pytest.raises(VectorError):
        within(np.array([[bound * (1 + 2 * BOUND_TOLERANCE)]]), [-bound], [bound], ["x"], "m", "v")


def test_a_number_without_a_unit_has_none_in_the_text() -> None:
    with pytest.raises(VectorError, match=r"^v: x = 2\.0 is outside -1\.0 to 1\.0$"):
        within(np.array([[2.0]]), [-1.0], [1.0], ["x"], "1", "v")
