"""SaNCE carries the task if, and only if, what is good in one task is bad in another."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.context.encoder_only import EncoderRun, Inputs, predict
from benchmarks.context.objectives.__main__ import ENCODER, Config, Data, alone, main, toy_data
from benchmarks.context.objectives.scores import Known, score
from benchmarks.context.objectives.toy import (
    STEPS,
    Kind,
    behaviour_of,
    make_episodes,
    right_behaviour,
)

from skill_training.data.episodes import EpisodeReplay
from skill_training.recipes.context.config import Objective


def _accuracy(data: Data, objective: Objective, steps: int) -> float:
    replay = EpisodeReplay(len(data.train))
    replay.add(data.train)
    run = EncoderRun(alone(objective), ENCODER, Inputs.of(data.train), batch=64, seed=0)
    run.train(replay, steps)
    contexts = run.contexts(data.train), run.contexts(data.unseen)
    return score(contexts[0], data.known, contexts[1], data.held_out).accuracy


@pytest.mark.slow
def test_sance_needs_reversals_and_infonce_does_not() -> None:
    quality, reversal = toy_data("quality", 64, 0), toy_data("reversal", 64, 0)
    assert _accuracy(quality, "sance", 300) < 0.65
    assert _accuracy(reversal, "sance", 500) > 0.75
    assert _accuracy(quality, "sance-cross", 150) > 0.75
    assert _accuracy(quality, "infonce", 150) > 0.75


def test_the_toy_by_its_laws() -> None:
    episodes = make_episodes(6, 8, "reversal", seed=3, hidden=ENCODER.hidden)
    assert episodes.observation.shape == (48, STEPS + 1, 3)
    assert episodes.task.unique(return_counts=True)[1].tolist() == [8] * 6
    fits = behaviour_of(episodes) * right_behaviour(episodes)
    assert episodes.returns[fits > 0].mean() > episodes.returns[fits < 0].mean() + 1.0
    # The velocity follows the pushes by the inverse of the mass.
    velocity, push = episodes.observation[..., 0], episodes.action[..., 0]
    gained = velocity[:, 1:] - 0.5 * velocity[:, :-1]
    slope = (gained * push).sum(1) / push.square().sum(1)
    torch.testing.assert_close(slope, torch.exp(-episodes.truth[:, 0, 0]), rtol=0.2, atol=0.1)


@pytest.mark.parametrize("kind", ["quality", "luck"])
def test_without_reversal_the_return_says_nothing_of_the_behaviour(kind: Kind) -> None:
    episodes = make_episodes(64, 16, kind, seed=0, hidden=ENCODER.hidden)
    fits = behaviour_of(episodes) * right_behaviour(episodes)
    both = torch.stack((episodes.returns, fits))
    assert torch.corrcoef(both)[0, 1].abs() < 0.1


def test_probes_by_hand() -> None:
    truth = np.linspace(-1.0, 1.0, 41)
    behaviour = np.where(np.arange(41) % 2 == 0, 1.0, -1.0)
    known = Known(truth=truth, behaviour=behaviour, right=np.sign(truth + 1e-6))
    # A context that answers "is this right here?" reads zero without the behaviour.
    fits = (behaviour * truth)[:, None]
    found = score(fits, known, fits, known)
    assert found.r2 < 0.1
    assert found.r2_given_behaviour > 0.95
    assert found.accuracy > 0.95
    # The ridge of .01 shrinks a standardised slope by 1 in 101.
    estimate = predict(truth[:, None], truth[:, None], truth[:, None])
    np.testing.assert_allclose(estimate[:, 0], truth * 100 / 101, atol=1e-6)


def test_the_program_writes_its_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = Config(
        objectives=("none", "sance", "forward-model"),
        toy=("reversal",),
        tasks=8,
        panda=False,
        batches=(16,),
        replays=(1000,),
        steps=2,
        seeds=(0,),
        json=tmp_path / "objectives.json",
    )
    main(config)
    said = capsys.readouterr().out
    assert "| toy, reversal | sance         |" in said
    assert "accuracy of the choice" in said
    rows = json.loads((tmp_path / "objectives.json").read_text(encoding="utf-8"))["rows"]
    assert [row["objective"] for row in rows] == ["none", "sance", "forward-model"] * 2
    assert rows[-1]["transitions"] == 960


def test_the_two_scripts_reverse_between_the_cells() -> None:
    from benchmarks.context.objectives.pick_or_push import collect, right_script

    episodes, behaviour = collect(64, 5, ENCODER.hidden)
    right = right_script(episodes)
    for cell in (0, 1):
        here = episodes.task == cell
        returns = [episodes.returns[here & (behaviour == sign)].mean() for sign in (-1.0, 1.0)]
        better = -1.0 if returns[0] > returns[1] else 1.0
        assert right[here].unique().tolist() == [better]
