"""A recurrent reaching policy of rsl_rl, exported by its own runner."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict

from benchmarks.serving.foreign.reach import EPISODE_STEPS, JointReach

ITERATIONS = 60
STEPS_PER_ITERATION = 24
"""``num_steps_per_env``: the longest sequence over which training unrolls the LSTM."""


class ReachVecEnv(VecEnv):
    """:class:`JointReach` as rsl_rl takes it."""

    def __init__(self, n: int, seed: int = 0) -> None:
        self.world = JointReach(n, seed)
        self.num_envs, self.num_actions = n, 7
        self.max_episode_length = 2 * EPISODE_STEPS
        self.device = "cpu"
        self.cfg = {}
        self.episode_length_buf = torch.from_numpy(self.world.steps)

    def get_observations(self) -> TensorDict:
        """Returns the group ``policy``."""
        seen = torch.from_numpy(self.world.observation().astype(np.float32))
        return TensorDict({"policy": seen}, batch_size=[self.num_envs])

    def step(
        self, actions: torch.Tensor
    ) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Steps all arms; every episode ends by its time."""
        reward, done = self.world.step(actions.detach().numpy().astype(np.float64))
        ended = torch.from_numpy(done)
        rewards = torch.from_numpy(reward.astype(np.float32))
        return self.get_observations(), rewards, ended.long(), {"time_outs": ended}


def configuration(seed: int) -> dict[str, Any]:
    """Returns the configuration of the runner: PPO on an LSTM."""
    recurrent = {
        "class_name": "RNNModel",
        "hidden_dims": [64],
        "activation": "elu",
        "obs_normalization": True,
        "rnn_type": "lstm",
        "rnn_hidden_dim": 32,
        "rnn_num_layers": 1,
    }
    gaussian = {"class_name": "GaussianDistribution", "init_std": 0.5, "std_type": "scalar"}
    return {
        "seed": seed,
        "num_steps_per_env": STEPS_PER_ITERATION,
        "save_interval": 10_000,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": recurrent | {"distribution_cfg": gaussian},
        "critic": recurrent,
        "algorithm": {
            "class_name": "PPO",
            "learning_rate": 3e-3,
            "schedule": "adaptive",
            "desired_kl": 0.02,
            "gamma": 0.9,
            "lam": 0.9,
            "entropy_coef": 0.0,
            "num_learning_epochs": 4,
            "num_mini_batches": 2,
            "clip_param": 0.2,
            "value_loss_coef": 1.0,
            "use_clipped_value_loss": True,
            "max_grad_norm": 1.0,
        },
    }


def train(iterations: int = ITERATIONS, seed: int = 0, n: int = 128) -> OnPolicyRunner:
    """Trains PPO with an LSTM."""
    torch.manual_seed(seed)
    runner = OnPolicyRunner(ReachVecEnv(n, seed), configuration(seed), log_dir=None, device="cpu")
    runner.learn(iterations, init_at_random_ep_len=False)
    return runner


def export(runner: OnPolicyRunner, path: Path) -> None:
    """Writes the ONNX file by ``export_policy_to_onnx`` of rsl_rl, and makes it one file.

    Recent releases of torch put the weights into a second file, which skill-serve refuses with this
    fix.
    """
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")  # of the exporter of torch
        runner.export_policy_to_onnx(folder, "policy.onnx")
        onnx.save(onnx.load(Path(folder) / "policy.onnx"), path)
