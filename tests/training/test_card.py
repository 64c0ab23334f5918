"""The card says what the manifest says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from skill_training.card import METRIC_TEXTS, card, write_card
from skill_training.config import TrainConfig
from skill_training.describe import build_manifest
from skill_training.errors import ExportError

TinyConfig = Callable[..., TrainConfig]

FACTS = {"code_revision": "0123abcd", "machine": "Linux, a processor", "versions": {"torch": "2.9"}}


def _card(config: TrainConfig, metrics: dict[str, float]) -> str:
    return card(
        build_manifest(
            config, FACTS, env_steps=1_600_000, updates=49_687, wall_time_s=630.0, metrics=metrics
        )
    )


def test_everything_a_reader_needs_is_there(tiny_config: TinyConfig) -> None:
    config = tiny_config(seed=2)
    text = _card(config, dict.fromkeys(METRIC_TEXTS, 0.12345))
    for fact in (
        "# csf_panda",
        f"`{config.command}`",
        "| code revision | 0123abcd |",
        "| seed | 2 |",
        "| environment steps | 1,600,000 |",
        "| gradient steps | 49,687 |",
        "| wall time | 10.5 min |",
        "Linux, a processor",
        "torch 2.9",
        "| cube mass | 0.4 | 1.6 | kg |",
        "| cube table friction | 0.2 | 0.8 | 1 |",
        "## Limits of use",
        "Apache-2.0",
    ):
        assert fact in text
    for meaning in METRIC_TEXTS.values():
        assert f"| {meaning} | 0.1235 |" in text


def test_an_unfinished_run_claims_nothing(tiny_config: TinyConfig) -> None:
    assert "None: the run was not finished." in _card(tiny_config(), {})


def test_a_card_that_cannot_be_written_is_an_error(tiny_config: TinyConfig, tmp_path: Path) -> None:
    manifest = build_manifest(
        tiny_config(), FACTS, env_steps=1, updates=1, wall_time_s=1.0, metrics={}
    )
    with pytest.raises(ExportError, match="cannot write the card"):
        write_card(manifest, tmp_path / "nowhere" / "policy.md")
