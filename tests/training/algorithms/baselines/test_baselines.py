"""The baselines of skill discovery by hand."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from skill_training.algorithms.baselines.cic import Cic, CicConfig
from skill_training.algorithms.baselines.csd import LARGEST, Csd, CsdConfig
from skill_training.algorithms.baselines.dads import Dads, DadsConfig
from skill_training.algorithms.baselines.diayn import Diayn, DiaynConfig
from skill_training.algorithms.baselines.lsd import Lsd, LsdConfig
from skill_training.algorithms.baselines.misl import Misl, MislConfig
from skill_training.algorithms.sac import SoftActorCritic
from skill_training.data.replay import Batch
from skill_training.nets.dynamics import gaussian_log_density
from skill_training.nets.inputs import NetworkInputs
from skill_training.nets.representation import RepresentationConfig

INPUTS = NetworkInputs(scale=(1.0, 1.0, 1.0), seen=(0, 2), seen_scale=(1.0, 0.5))
KINDS: list[tuple[Any, Any]] = [
    (Misl, MislConfig),
    (Lsd, LsdConfig),
    (Csd, CsdConfig),
    (Diayn, DiaynConfig),
    (Dads, DadsConfig),
    (Cic, CicConfig),
]


def make(kind: Any, config: Any, **settings: object) -> Any:  # noqa: ANN401  any kind
    phi = RepresentationConfig(inputs=("*",), form="linear", size=2)
    whole = config(**{"hidden": (8,), "representation": phi} | settings)
    return kind(whole, inputs=INPUTS, action_size=2, seed=1)


def batch(before: list[list[float]], after: list[list[float]], skill: Tensor) -> Batch:
    n = len(before)
    return Batch(
        observation=torch.tensor(before),
        action=torch.zeros(n, 2),
        next_observation=torch.tensor(after),
        skill=skill,
    )


def random_batch(n: int, skill: Tensor | None = None) -> Batch:
    generator = torch.Generator().manual_seed(0)
    observation = torch.randn(n, 3, generator=generator)
    return Batch(
        observation=observation,
        action=torch.rand(n, 2, generator=generator) * 2 - 1,
        next_observation=observation + 0.1 * torch.randn(n, 3, generator=generator),
        skill=nn.functional.normalize(torch.randn(n, 2, generator=generator), dim=-1)
        if skill is None
        else skill,
    )


class Fixed(nn.Module):
    """Returns the same mean and log standard deviation for every input."""

    def __init__(self, mean: list[float], log_std: list[float]) -> None:
        super().__init__()
        self.mean, self.log_std = torch.tensor(mean), torch.tensor(log_std)

    def forward(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        n = len(inputs)
        return self.mean.expand(n, -1), self.log_std.expand(n, -1)


def test_lsd_allows_phi_the_step_of_the_scaled_state() -> None:
    """The second entry is not seen; the third is divided by .5: 3^2 + (2 / .5)^2 = 25."""
    moved = batch([[1.0, 5.0, 1.0]], [[4.0, 9.0, 3.0]], torch.tensor([[1.0, 0.0]]))
    lsd = make(Lsd, LsdConfig)
    assert lsd.squared_distance(moved).tolist() == [25.0]
    step = torch.tensor([[3.0, 0.0]])
    assert lsd.constraint(step, torch.tensor([25.0])).tolist() == pytest.approx([1e-3])
    assert lsd.constraint(step, torch.tensor([4.0])).tolist() == [-5.0]


def test_csd_counts_a_change_that_the_density_did_not_expect() -> None:
    """Changes 3 and 4 with means 1 and 4: ((3 - 1)^2 + 0) / 2 = 2, for equal deviations."""
    moved = batch([[0.0, 0.0, 0.0]], [[3.0, 0.0, 2.0]], torch.tensor([[1.0, 0.0]]))
    csd = make(Csd, CsdConfig)
    csd.density = Fixed([1.0, 4.0], [0.7, 0.7])
    assert csd.squared_distance(moved).tolist() == pytest.approx([2.0])
    # The geometric mean of the deviations is 1: those of the first and second are 1/e and e.
    csd.density = Fixed([1.0, 0.0], [-1.0, 1.0])
    expected = ((2 * math.e) ** 2 + (4 / math.e) ** 2) / 2
    assert csd.squared_distance(moved).tolist() == pytest.approx([expected])
    csd.density = Fixed([-1e3, 0.0], [0.0, 0.0])
    assert csd.squared_distance(moved).tolist() == [LARGEST]


def test_diayn_rewards_a_state_that_tells_the_skill() -> None:
    """Logits (2, 0): log softmax - log(1/2) = log(2 e^2 / (e^2 + 1)) and log(2 / (e^2 + 1))."""
    diayn = make(Diayn, DiaynConfig, skills="one_hot")
    weight = diayn.representation.map.get_parameter("weight")
    with torch.no_grad():
        weight.copy_(torch.tensor([[2.0, 0.0], [0.0, 0.0]]))
    found = diayn.log_density(torch.tensor([[1.0, 0.0, 0.0]] * 2), torch.eye(2))
    e2 = math.exp(2.0)
    assert found.tolist() == pytest.approx([math.log(2 * e2 / (e2 + 1)), math.log(2 / (e2 + 1))])


def test_diayn_on_the_sphere_rewards_the_direction_of_phi() -> None:
    diayn = make(Diayn, DiaynConfig)
    weight = diayn.representation.map.get_parameter("weight")
    with torch.no_grad():
        weight.copy_(torch.tensor([[3.0, 0.0], [0.0, 0.0]]))
    skills = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    found = diayn.log_density(torch.tensor([[1.0, 0.0, 0.0]] * 3), skills)
    assert found.tolist() == pytest.approx([1.0, 0.0, -1.0])


def test_dads_rewards_nothing_if_the_dynamics_do_not_depend_on_the_skill() -> None:
    dads = make(Dads, DadsConfig)
    first = dads.density.body[0]
    with torch.no_grad():
        first.weight[:, 2:] = 0.0
    prior = dads.sample_skills(7, dads.generator)
    torch.testing.assert_close(
        dads.reward(random_batch(4), prior), torch.zeros(4), atol=1e-5, rtol=0
    )


def test_dads_reward_is_at_most_the_log_of_the_number_of_skills() -> None:
    """If one of L prior skills is the right one and explains all, the reward is log L."""
    dads = make(Dads, DadsConfig)

    class ByFirstEntry(nn.Module):
        def log_density(self, inputs: Tensor, change: Tensor) -> Tensor:
            del change
            return torch.where(inputs[:, 2] > 0.5, 0.0, -100.0)

    dads.density = ByFirstEntry()
    skill = torch.tensor([[1.0, 0.0]])
    prior = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    found = dads.reward(random_batch(1, skill), prior)
    assert found.tolist() == pytest.approx([math.log(4.0)])


def test_cic_rewards_states_without_near_neighbours() -> None:
    """Three states at 0, 1 and 9: nearest neighbours at 1, 1 and 8; the mean distance is 10/3."""
    cic = make(Cic, CicConfig, neighbours=1)
    weight = cic.representation.map.get_parameter("weight")
    with torch.no_grad():
        weight.copy_(torch.eye(2))
    after = [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [9.0, 0.0, 0.0]]
    found = cic.reward(batch(after, after, torch.eye(2)[[0, 0, 1]]))
    mean = 10 / 3
    assert found.tolist() == pytest.approx(
        [math.log1p(1 / mean), math.log1p(1 / mean), math.log1p(8 / mean)], rel=1e-5
    )


@pytest.mark.parametrize(
    ("kernel", "own", "others"),
    [
        ("inner", 3.0, [3.0, 4.0]),
        ("gaussian", -20.0, [-20.0, -18.0]),
        ("laplacian", -math.sqrt(20.0), [-math.sqrt(20.0), -math.sqrt(18.0)]),
    ],
)
def test_misl_energies(kernel: str, own: float, others: list[float]) -> None:
    """Phi is the scaled state, so the step is (3, 4): |(3, 4) - (1, 0)|^2 = 20."""
    misl = make(Misl, MislConfig, kernel=kernel)
    with torch.no_grad():
        misl.representation.map.get_parameter("weight").copy_(torch.eye(2))
    moved = batch([[0.0, 0.0, 0.0]], [[3.0, 0.0, 2.0]], torch.tensor([[1.0, 0.0]]))
    assert misl.energy(moved).tolist() == pytest.approx([own], rel=1e-5)
    assert misl.energies(moved, torch.eye(2)).tolist()[0] == pytest.approx(others, rel=1e-5)
    mean = (math.exp(others[0]) + math.exp(others[1])) / 2
    assert misl.contrast(moved, torch.eye(2)).tolist() == pytest.approx([math.log(mean)], rel=1e-5)


def test_misl_rewards_the_energy_alone_only_with_the_bottleneck() -> None:
    moved, skills = random_batch(5), torch.eye(2)
    narrow, wide = make(Misl, MislConfig), make(Misl, MislConfig, bottleneck=False)
    torch.testing.assert_close(narrow.reward(moved, skills), narrow.energy(moved))
    torch.testing.assert_close(
        wide.reward(moved, skills), wide.energy(moved) - wide.contrast(moved, skills)
    )


def test_a_learned_energy_is_the_same_alone_and_in_pairs() -> None:
    misl = make(Misl, MislConfig, kernel="mlp")
    moved = random_batch(4)
    pairs = misl.energies(moved, moved.skill)
    torch.testing.assert_close(pairs.diagonal(), misl.energy(moved))
    before = [weight.clone() for weight in misl.energy_network.parameters()]
    misl.update(random_batch(16))
    after = list(misl.energy_network.parameters())
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_gaussian_density_by_hand() -> None:
    value, mean = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    log_std = torch.tensor([[0.0, math.log(2.0)]])
    expected = -0.5 - math.log(2.0) - math.log(2.0 * math.pi)
    assert gaussian_log_density(value, mean, log_std).item() == pytest.approx(expected)


@pytest.mark.parametrize(("kind", "config"), KINDS)
def test_a_saved_baseline_continues_exactly(kind: Any, config: Any) -> None:  # noqa: ANN401  any kind
    first: SoftActorCritic = make(kind, config)
    for _ in range(3):
        first.update(random_batch(16))
    second: SoftActorCritic = make(kind, config)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    one, other = first.update(random_batch(16)), second.update(random_batch(16))
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert torch.isfinite(value), name
        assert torch.equal(value, other[name]), name


@pytest.mark.parametrize(("kind", "config"), KINDS)
def test_a_frozen_representation_stays_as_it_starts(kind: Any, config: Any) -> None:  # noqa: ANN401  any kind
    phi = RepresentationConfig(inputs=("*",), form="linear", size=2, frozen=True)
    algorithm = make(kind, config, representation=phi)
    before = algorithm.representation.map.get_parameter("weight").clone()
    algorithm.update(random_batch(16))
    assert torch.equal(algorithm.representation.map.get_parameter("weight"), before)
