"""Recurrent states equal a reference LSTM, and are never older than the trained horizon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper

from skill_proto.arrays import Array
from skill_proto.manifest import Context, RecurrentState
from skill_runtime.policy import OnnxPolicy, PolicyError
from skill_runtime.policy.context_distance import ContextDistance
from skill_runtime.policy.recurrent_state import RecurrentStates

PolicyFileFactory = Callable[..., Path]

HIDDEN = 5
CONTEXT = {
    "size": HIDDEN,
    "center": [0.1, 0.2, 0.3, 0.4, 0.5],
    "whitening": np.diag([1.0, 2.0, 3.0, 4.0, 5.0]).tolist(),
    "typical_distance": 2.0,
    "estimates": [
        {"name": "cube_mass", "unit": "kg", "log_r2": 0.9},
        {"name": "cube_table_friction", "unit": "1", "log_r2": None},
    ],
}


def encoder_graph(seed: int = 0) -> onnx.ModelProto:
    """An LSTM over (observation, previous action).

    Its h is the context, and the estimates are the exponential of a linear head. The action is a
    head of h and the goal, so that it reveals which state is active.
    """
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,3] previous_action, float[batch,2] goal,
           float[batch,{HIDDEN}] lstm_h, float[batch,{HIDDEN}] lstm_c)
          => (float[batch,3] action, float[batch,{HIDDEN}] context, float[batch,2] estimate,
              float[batch,{HIDDEN}] next_lstm_h, float[batch,{HIDDEN}] next_lstm_c)
        <int64[1] time = {{0}}>
        {{ seen = Concat <axis = 1> (observation, previous_action)
           x = Unsqueeze (seen, time)
           h0 = Unsqueeze (lstm_h, time)
           c0 = Unsqueeze (lstm_c, time)
           y, h1, c1 = LSTM <hidden_size = {HIDDEN}> (x, W, R, , , h0, c0)
           next_lstm_h = Squeeze (h1, time)
           next_lstm_c = Squeeze (c1, time)
           context = Identity (next_lstm_h)
           logs = MatMul (context, estimator)
           estimate = Exp (logs)
           known = Concat <axis = 1> (context, goal)
           mixed = MatMul (known, head)
           action = Tanh (mixed) }}"""
    )
    generator = np.random.default_rng(seed)
    for name, shape in (
        ("W", (1, 4 * HIDDEN, 31)),
        ("R", (1, 4 * HIDDEN, HIDDEN)),
        ("estimator", (HIDDEN, 2)),
        ("head", (HIDDEN + 2, 3)),
    ):
        values = generator.normal(0.0, 0.7, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    return model


class ReferenceLstm:
    """:func:`encoder_graph` from the ONNX definition of LSTM: one state, initially zero."""

    def __init__(self, model: onnx.ModelProto) -> None:
        weights = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        self.w, self.r = weights["W"][0].astype(float), weights["R"][0].astype(float)
        self.head = weights["head"].astype(float)
        self.h, self.c = np.zeros(HIDDEN), np.zeros(HIDDEN)

    def step(self, observation: Array, previous_action: Array, goal: Array) -> Array:
        gates = self.w @ np.concatenate([observation, previous_action]) + self.r @ self.h
        i, o, f = (1.0 / (1.0 + np.exp(-gate)) for gate in np.split(gates, 4)[:3])
        self.c = f * self.c + i * np.tanh(gates[3 * HIDDEN :])
        self.h = o * np.tanh(self.c)
        return np.tanh(np.concatenate([self.h, goal]) @ self.head)


def reference_stagger(
    model: onnx.ModelProto, rows: Array, goal: Array, horizon: int
) -> tuple[Array, Array]:
    """Actions and contexts by the documented rule, independent of the implementation.

    A state starts every half horizon, and becomes active when the one before is a horizon old.
    """
    half = -(-horizon // 2)
    running: list[ReferenceLstm] = []
    ages: list[int] = []
    actions, contexts = list[Array](), list[Array]()
    previous = np.zeros(3)
    for row in rows:
        if not running or ages[0] == horizon:
            running, ages = running[1:], ages[1:]
        if not running or (len(running) == 1 and ages[0] >= half):
            running.append(ReferenceLstm(model))
            ages.append(0)
        given = [state.step(row, previous, goal) for state in running]
        ages = [age + 1 for age in ages]
        assert ages[0] <= horizon
        actions.append(given[0])
        contexts.append(running[0].h.copy())
        previous = given[0]
    return np.array(actions), np.array(contexts)


def states(horizon: int, rule: str = "stagger") -> list[dict[str, object]]:
    return [
        {
            "name": name,
            "shape": [HIDDEN],
            "trained_horizon_steps": horizon,
            "beyond_horizon": rule,
        }
        for name in ("lstm_h", "lstm_c")
    ]


@pytest.fixture
def encoder_file(tmp_path: Path, make_policy_file: PolicyFileFactory) -> Callable[..., Path]:
    def make(horizon: int = 8, rule: str = "stagger", context: object = CONTEXT) -> Path:
        return make_policy_file(
            tmp_path,
            filename=f"{rule}{horizon}.onnx",
            model=encoder_graph(),
            skill={"kind": "none", "size": 0},
            representation=None,
            recurrent=states(horizon, rule),
            context=context,
        )

    return make


def observations(steps: int, *more: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).normal(0.0, 1.0, (steps, *more, 28))


GOAL = np.array([0.3, -0.7])


@pytest.mark.parametrize("horizon", [1, 2, 3, 8, 9])
def test_stagger_matches_the_reference(encoder_file: Callable[..., Path], horizon: int) -> None:
    policy = OnnxPolicy(encoder_file(horizon))
    rows = observations(45)
    actions, contexts = reference_stagger(encoder_graph(), rows, GOAL, horizon)
    outputs = [policy.step(row, goal=GOAL) for row in rows]
    assert np.concatenate([output.action for output in outputs]) == pytest.approx(actions, abs=1e-5)
    found = [output.context for output in outputs if output.context is not None]
    assert np.concatenate(found) == pytest.approx(contexts, abs=1e-5)


def test_up_to_the_horizon_stagger_equals_carry(encoder_file: Callable[..., Path]) -> None:
    staggered, carried = OnnxPolicy(encoder_file(8)), OnnxPolicy(encoder_file(8, "carry"))
    for step, row in enumerate(observations(12)):
        a, b = (policy.step(row, goal=GOAL).context for policy in (staggered, carried))
        assert a is not None
        assert (a == pytest.approx(b, abs=1e-6)) == (step < 8)


def test_carry_never_replaces_the_state(encoder_file: Callable[..., Path]) -> None:
    policy, reference = OnnxPolicy(encoder_file(4, "carry")), ReferenceLstm(encoder_graph())
    previous = np.zeros(3)
    for row in observations(50):
        previous = reference.step(row, previous, GOAL)
        assert policy.step(row, goal=GOAL).action[0] == pytest.approx(previous, abs=1e-5)


def test_slots_age_independently(encoder_file: Callable[..., Path]) -> None:
    """One slot steps always, one every other time, one is reset: each equals a policy alone."""
    together = OnnxPolicy(encoder_file(6), slots=3)
    alone = [OnnxPolicy(encoder_file(6)) for _ in range(3)]
    for step, rows in enumerate(observations(40, 3)):
        slots = [0, 1, 2] if step % 2 else [2, 0]
        if step == 17:
            together.reset_slot(2)
            alone[2].reset_slot(0)
        output = together.step_slots(slots, rows[slots], goal=np.tile(GOAL, (len(slots), 1)))
        for row, slot in zip(output.action, slots, strict=True):
            expected = alone[slot].step(rows[slot], goal=GOAL).action[0]
            assert row == pytest.approx(expected, abs=1e-5)


def test_act_and_step_slots_equal_step(encoder_file: Callable[..., Path]) -> None:
    path = encoder_file(5)
    acting, stepping, in_slots = (OnnxPolicy(path, slots=2) for _ in range(3))
    goals = np.tile(GOAL, (2, 1))
    for rows in observations(20, 2):
        expected = stepping.step(rows, goal=goals).action
        assert acting.act(rows, goal=goals) == pytest.approx(expected, abs=1e-6)
        assert in_slots.step_slots([0, 1], rows, goal=goals).action == pytest.approx(
            expected, abs=1e-6
        )


def test_a_reset_clears_the_standby_state_too(encoder_file: Callable[..., Path]) -> None:
    path = encoder_file(8)
    used, fresh = OnnxPolicy(path), OnnxPolicy(path)
    for row in observations(7):
        used.step(row, goal=GOAL)
    used.reset_slot(0)
    for row in observations(30, seed=9):
        expected = fresh.step(row, goal=GOAL).action
        assert used.step(row, goal=GOAL).action == pytest.approx(expected, abs=1e-6)


def test_the_executed_action_replaces_the_previous_one(
    encoder_file: Callable[..., Path],
) -> None:
    policy, reference = OnnxPolicy(encoder_file(8)), ReferenceLstm(encoder_graph())
    first, second = observations(2)
    reference.step(first, np.zeros(3), GOAL)
    policy.step(first, goal=GOAL)
    executed = np.array([0.5, -1.0, 0.0])
    expected = reference.step(second, executed, GOAL)
    action = policy.step(second, goal=GOAL, previous_action=executed).action[0]
    assert action == pytest.approx(expected, abs=1e-5)


def test_a_slot_that_is_not_finite_is_reset_at_once(encoder_file: Callable[..., Path]) -> None:
    path = encoder_file(8)
    policy, fresh = OnnxPolicy(path, slots=2), OnnxPolicy(path)
    goals = np.tile(GOAL, (2, 1))
    rows = observations(2)
    broken = rows.copy()
    broken[1, 3] = np.nan
    assert policy.step(broken, goal=goals).is_finite.tolist() == [True, False]
    after = policy.step(rows, goal=goals)
    assert after.is_finite.all()
    assert after.action[1] == pytest.approx(fresh.step(rows[1], goal=GOAL).action[0], abs=1e-6)
    with pytest.raises(PolicyError, match="not a finite number"):
        policy.act(broken, goal=goals)


def test_a_state_that_is_not_finite_is_reported_even_if_the_action_is_finite(
    tmp_path: Path, make_policy_file: PolicyFileFactory
) -> None:
    grows = onnx.parser.parse_model(
        """<ir_version: 10, opset_import: ["" : 20]>
        g (float[batch,28] observation, float[batch,1] m)
          => (float[batch,3] action, float[batch,1] next_m)
        <int64[3] first = {0, 1, 2}, int64[1] one = {0}, float huge = {1e30}>
        { x = Gather <axis = 1> (observation, one)
          much = Mul (x, huge)
          next_m = Mul (much, huge)
          raw = Gather <axis = 1> (observation, first)
          action = Tanh (raw) }"""
    )
    recurrent = [{"name": "m", "shape": [1], "trained_horizon_steps": 10}]
    no_skill = {"kind": "none", "size": 0}
    path = make_policy_file(
        tmp_path, model=grows, goal=None, skill=no_skill, recurrent=recurrent, representation=None
    )
    policy = OnnxPolicy(path)
    output = policy.step(np.ones(28))
    assert np.isfinite(output.action).all()
    assert not output.is_finite[0]
    assert policy.step(np.zeros(28)).is_finite[0]


# The context ------------------------------------------------------------------------------------


def test_distance_and_estimates_belong_to_the_active_context(
    encoder_file: Callable[..., Path],
) -> None:
    policy = OnnxPolicy(encoder_file(4), slots=2)
    weights = {item.name: numpy_helper.to_array(item) for item in encoder_graph().graph.initializer}
    policy.step(observations(1, 2)[0], goal=np.tile(GOAL, (2, 1)))
    for rows in observations(11, 2):
        output = policy.step(rows, goal=np.tile(GOAL, (2, 1)))
        assert output.context is not None
        assert output.context_distance is not None
        whitened = (output.context - np.arange(1, 6) / 10) * np.arange(1, 6)
        expected = np.linalg.norm(whitened, axis=1, keepdims=True) / 2.0
        assert output.context_distance == pytest.approx(expected, abs=1e-5)
        assert output.estimate == pytest.approx(
            np.exp(output.context @ weights["estimator"]), rel=1e-5
        )


@pytest.mark.parametrize("rule", ["stagger", "carry"])
def test_a_young_state_has_no_distance_but_a_context(
    encoder_file: Callable[..., Path], rule: str
) -> None:
    """Half of a horizon of 7 is 3; a standby state that becomes active is at least that old."""
    policy = OnnxPolicy(encoder_file(7, rule), slots=2)
    known: list[list[bool]] = []
    for step, rows in enumerate(observations(20, 2)):
        if step == 5:
            policy.reset_slot(1)
        output = policy.step(rows, goal=np.tile(GOAL, (2, 1)))
        assert output.context is not None
        assert output.estimate is not None
        assert output.context_distance is not None
        assert np.isfinite(output.context).all()
        assert np.isfinite(output.estimate).all()
        known.append(np.isfinite(output.context_distance[:, 0]).tolist())
    first, second = zip(*known, strict=True)
    assert first == (False,) * 2 + (True,) * 18
    assert second == (False,) * 2 + (True,) * 3 + (False,) * 2 + (True,) * 13


def test_an_uncalibrated_context_has_no_distance(encoder_file: Callable[..., Path]) -> None:
    bare = {"size": HIDDEN, "estimates": CONTEXT["estimates"]}
    output = OnnxPolicy(encoder_file(context=bare)).step(np.zeros(28), goal=GOAL)
    assert output.context is not None
    assert output.context_distance is None


def test_one_in_twenty_held_out_contexts_is_beyond_one() -> None:
    """The definition: W whitens a Gaussian, and the 95 % quantile is the unit."""
    generator = np.random.default_rng(0)
    mix = generator.normal(size=(3, 3))
    seen = generator.normal(size=(4000, 3)) @ mix.T + 1.0
    whitening = np.linalg.cholesky(np.linalg.inv(np.cov(seen.T))).T
    center = seen.mean(axis=0)
    raw = np.linalg.norm((seen - center) @ whitening.T, axis=1)
    context = Context(
        size=3,
        center=tuple(center.tolist()),
        whitening=tuple(tuple(row) for row in whitening.tolist()),
        typical_distance=float(np.quantile(raw, 0.95)),
    )
    distance = ContextDistance(context)
    fresh = (generator.normal(size=(4000, 3)) @ mix.T + 1.0).astype(np.float32)
    assert np.mean(distance.of(fresh) > 1.0) == pytest.approx(0.05, abs=0.015)
    assert np.isnan(distance.of(np.full((1, 3), np.nan, np.float32))).all()


# The rule itself ---------------------------------------------------------------------------------


@given(horizon=st.integers(1, 40), resets=st.lists(st.integers(0, 99), max_size=3))
def test_the_active_state_is_between_half_and_one_horizon_old(
    horizon: int, resets: Sequence[int]
) -> None:
    """The state counts its own steps, so its value is its age."""
    state = RecurrentState(name="steps", shape=(1,), trained_horizon_steps=horizon)
    recurrent_states = RecurrentStates([state], 1)
    slot = np.arange(1)
    since = 0
    for step in range(100):
        if step in resets:
            recurrent_states.reset(slot)
            since = 0
        gathered = recurrent_states.gather(slot)
        assert len(gathered.states["steps"]) <= 2
        recurrent_states.scatter(gathered, {"next_steps": gathered.states["steps"] + 1.0})
        since += 1
        age = gathered.states["steps"][0, 0] + 1
        assert min(since, horizon // 2 + 1) <= age <= horizon


@pytest.mark.parametrize("moves", [1, 3])
def test_a_step_that_changes_no_state_makes_it_no_older_than_half_a_horizon(moves: int) -> None:
    state = RecurrentState(name="h", shape=(2,), trained_horizon_steps=4)
    states, slots = RecurrentStates([state], 2), np.arange(2)
    for step in range(1, 20):
        gathered = states.gather(slots)
        new = gathered.states["h"].copy()
        new[0] += 1.0  # slot 0 goes on; slot 1 stands still after some steps
        if step <= moves:
            new[1:] += 1.0
        states.scatter(gathered, {"next_h": new})
        assert states.age[1] == min(step, max(moves, 2))
        assert states.is_warm(slots).tolist() == [step >= 2] * 2
    assert 2 <= states.age[0] <= 4
    gathered = states.gather(slots)
    np.testing.assert_array_equal(gathered.states["h"][1], [moves, moves])
