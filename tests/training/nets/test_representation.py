"""Each form of phi by hand, and the singular values that show a lost dimension."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import nn

from skill_training.nets.representation import RepresentationConfig, StateRepresentation

SCALE = [1.0, 1.0, 0.5, 0.25, 2.0]


def make(entries: tuple[int, ...] = (2, 3), **choices: object) -> StateRepresentation:
    torch.manual_seed(0)
    scale = [SCALE[entry] for entry in entries]
    return StateRepresentation(RepresentationConfig(**choices), indices=entries, scale=scale)


def test_rotation_turns_and_scales_the_selected_entries() -> None:
    phi = make(form="rotation")
    with torch.no_grad():
        phi.map.get_parameter("coefficients").copy_(torch.tensor([3.0, 4.0]))
    observation = torch.tensor([[9.0, 9.0, 0.5, 0.5, 9.0]])
    # Selected and scaled: (1, 2); [[3, -4], [4, 3]] (1, 2) = (-5, 10).
    assert phi(observation).tolist() == [[-5.0, 10.0]]
    assert phi.embed(torch.tensor([[0.5, 0.5]])).tolist() == [[-5.0, 10.0]]
    torch.testing.assert_close(phi.singular_values(), torch.tensor([5.0, 5.0]))
    assert phi.singular_value_ratio() == pytest.approx(1.0)


def test_rotation_starts_at_the_identity() -> None:
    assert make().embed(torch.tensor([[0.5, 0.25]])).tolist() == [[1.0, 1.0]]


def test_components_keep_the_given_order() -> None:
    phi = make((4, 2))
    assert phi(torch.tensor([[0.0, 0.0, 1.0, 7.0, 4.0]])).tolist() == [[2.0, 2.0]]


def test_linear_is_its_matrix_and_starts_isotropic() -> None:
    phi = make((2, 3, 4), form="linear", size=2)
    weight = phi.map.get_parameter("weight")
    torch.testing.assert_close(phi.singular_values(), torch.ones(2))
    with torch.no_grad():
        weight.copy_(torch.tensor([[2.0, 0.0, 0.0], [0.0, 0.0, 0.5]]))
    observation = torch.tensor([[0.0, 0.0, 1.0, 1.0, 1.0]])
    assert phi(observation).tolist() == [[4.0, 0.25]]
    assert phi.singular_values().tolist() == [2.0, 0.5]
    assert phi.singular_value_ratio() == pytest.approx(0.25)
    assert phi(torch.zeros(1, 5)).tolist() == [[0.0, 0.0]]


def test_a_lost_dimension_has_ratio_zero() -> None:
    phi = make(form="linear")
    with torch.no_grad():
        phi.map.get_parameter("weight").copy_(torch.tensor([[1.0, 1.0], [1.0, 1.0]]))
    assert phi.singular_value_ratio() == pytest.approx(0.0, abs=1e-6)
    nn.init.zeros_(phi.map.get_parameter("weight"))
    assert phi.singular_value_ratio() == 0.0


def test_mlp_has_the_singular_values_of_its_mean_jacobian() -> None:
    phi = make(form="mlp", hidden=(16,), size=3)
    observation = torch.randn(40, 5)
    scaled = observation[:, 2:4] / torch.tensor(SCALE[2:4])
    jacobians = torch.stack(
        [torch.autograd.functional.jacobian(phi.map, point) for point in scaled]
    )
    assert phi(observation).shape == (40, 3)
    torch.testing.assert_close(
        phi.singular_values(observation), torch.linalg.svdvals(jacobians.mean(0))
    )
    with pytest.raises(ValueError, match="batch of observations"):
        phi.singular_values()


def test_a_folded_mlp_counts_as_having_lost_the_dimension() -> None:
    phi = make((2,), form="mlp", hidden=(2,), size=1)
    inner, outer = phi.map.get_submodule("0"), phi.map.get_submodule("2")
    assert isinstance(inner, nn.Linear)
    assert isinstance(outer, nn.Linear)
    with torch.no_grad():  # phi(x) = |x|
        inner.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        inner.bias.zero_()
        outer.weight.fill_(1.0)
    symmetric = torch.zeros(4, 5)
    symmetric[:, 2] = torch.tensor([-2.0, -1.0, 1.0, 2.0])
    assert phi.singular_values(symmetric[2:]).tolist() == [1.0]
    assert phi.singular_values(symmetric).tolist() == [0.0]


@pytest.mark.parametrize("form", ["rotation", "linear", "mlp"])
def test_step_is_the_difference_of_two_embeddings(form: str) -> None:
    phi = make(form=form)
    before, after = torch.randn(6, 5), torch.randn(6, 5)
    torch.testing.assert_close(phi.step(before, after), phi(after) - phi(before))


@pytest.mark.parametrize("form", ["rotation", "linear"])
def test_a_step_far_from_the_origin_is_that_of_its_change(form: str) -> None:
    phi = make(form=form)
    # The scaled entries and their change are exact in float32; a product with them is not.
    before = torch.randint(100_000, 110_000, (20, 5)).float()
    change = torch.randint(-8, 8, (20, 5)) * 0.0625
    expected = phi.map(change[:, phi.indices] / phi.scale)
    torch.testing.assert_close(phi.step(before, before + change), expected, rtol=0, atol=1e-6)


def test_learning_rate_depends_on_the_form_unless_given() -> None:
    assert RepresentationConfig(form="rotation").resolved_learning_rate == 1e-3
    assert RepresentationConfig(form="linear").resolved_learning_rate == 1e-3
    assert RepresentationConfig(form="mlp").resolved_learning_rate == 3e-4
    assert RepresentationConfig(form="mlp", learning_rate=0.1).resolved_learning_rate == 0.1


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"entries": (2, 3, 4)}, "maps 2 entries to 2 dimensions, got 3 entries"),
        ({"size": 3}, "size 3; choose two entries"),
    ],
)
def test_impossible_representations_are_explained(choices: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**choices)


@pytest.mark.parametrize(
    "choices",
    [{"form": "spline"}, {"size": 0}, {"input_scale": "typical size"}, {"learning_rate": 0.0}],
)
def test_config_errors_name_the_wrong_field(choices: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(choices))):
        RepresentationConfig(**choices)
