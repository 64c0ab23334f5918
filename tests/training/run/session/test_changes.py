"""Settings that a session may change."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from skill_training.config import RunSettings
from skill_training.errors import ConfigError
from skill_training.recipes.discovery.config import SkillConfig
from skill_training.run.session.changes import CHANGEABLE, changed, flags, requested

RUN = RunSettings(env_steps=400, threads=2)


def test_given_flags_change_settings_and_defaults_do_not() -> None:
    words = ["csf", "--resume", "run", "--env-steps", "400", "--threads=2"]
    assert requested(words, RUN) == {"env_steps": 400, "threads": 2}
    assert requested(["csf", "--resume=run"], RUN) == {}
    # A flag that repeats the default also counts: the run may have another value.
    assert requested(["csf", "--resume", "run", "--device", "cpu"], RUN) == {"device": "cpu"}


def test_flags_of_the_result_are_refused_with_the_list_of_the_others() -> None:
    words = ["csf", "--resume", "run", "--seed", "0", "--csf.batch_size=4", "--env_steps", "9"]
    with pytest.raises(ConfigError) as caught:
        requested(words, RUN)
    assert "leave out --seed, --csf.batch-size. Only these flags" in str(caught.value)
    assert flags() in str(caught.value)
    assert "--checkpoint-interval" in flags()


def test_changes_are_checked(tiny_config: Callable[..., SkillConfig]) -> None:
    config = changed(tiny_config(), {"env_steps": 640, "eval_interval": 7})
    assert (config.run.env_steps, config.run.eval_interval) == (640, 7)
    with pytest.raises(ConfigError, match="a run keeps its seed"):
        changed(tiny_config(), {"seed": 1})
    with pytest.raises(ConfigError, match="threads"):
        changed(tiny_config(), {"threads": 0})


def test_every_changeable_setting_exists() -> None:
    assert all(hasattr(RUN, name) for name in CHANGEABLE)
