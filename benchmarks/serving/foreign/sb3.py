"""A reaching policy of Stable-Baselines3, exported by the code of its documentation."""

from __future__ import annotations

import warnings
from pathlib import Path

import gymnasium
import torch
from gymnasium.wrappers import FlattenObservation
from stable_baselines3 import PPO
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.vec_env import DummyVecEnv

from benchmarks.serving.foreign.reach import ReachEnv

STEPS = 12_288


class OnnxableSB3Policy(torch.nn.Module):
    """The wrapper of Stable-Baselines3's documentation, page "Exporting models"."""

    def __init__(self, policy: BasePolicy) -> None:
        super().__init__()
        self.policy = policy

    def forward(self, observation: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Returns actions, values and log probabilities."""
        return self.policy(observation, deterministic=True)


def train(steps: int = STEPS, seed: int = 0) -> PPO:
    """Trains PPO on the flattened observation of :class:`ReachEnv`."""

    def make() -> gymnasium.Env[object, object]:
        return FlattenObservation(ReachEnv())

    return PPO(
        "MlpPolicy",
        DummyVecEnv([make] * 8),
        n_steps=128,
        batch_size=256,
        n_epochs=8,
        gamma=0.6,
        learning_rate=3e-3,
        seed=seed,
        device="cpu",
        policy_kwargs={"net_arch": [32, 32], "log_std_init": -0.7},
    ).learn(steps)


def export(model: PPO, path: Path) -> None:
    """Writes the ONNX file as the documentation does."""
    size = model.observation_space.shape
    assert size is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter that the documentation was written for
        torch.onnx.export(
            OnnxableSB3Policy(model.policy),
            (torch.randn(1, *size),),
            path,
            opset_version=17,
            input_names=["input"],
            dynamo=False,
        )
