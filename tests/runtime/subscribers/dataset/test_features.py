"""Names of columns."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runtime.subscribers.written import welcome_of
from tests.support.policy_files import push_manifest

from skill_robots.observation import PUSH_OBSERVATION, manifest_fields
from skill_runtime.subscribers.dataset.features import Features


@pytest.mark.parametrize("given", ["previous_action", "skill"])
def test_the_observation_is_named_after_what_is_measured(policy_file: Path, given: str) -> None:
    """The runtime fills in the other fields of a manifest, and does not record them there."""
    measured = [field.model_dump() for field in manifest_fields(PUSH_OBSERVATION)]
    size = {"previous_action": 3, "skill": 2}[given]
    field = measured[0] | {"name": given, "size": size, "unit": "1"}
    manifest = push_manifest(observation=[field, *measured])
    welcome = welcome_of(policy_file).model_copy(update={"manifest": manifest})
    columns = Features(welcome, (), has_skill=True, has_goal=False).columns
    (names,) = [each.entries for each in columns if each.name == "observation.policy"]
    plain = Features(welcome_of(policy_file), (), has_skill=True, has_goal=False).columns
    assert names[0] == "end_effector_position.0"
    assert names == next(each.entries for each in plain if each.name == "observation.policy")
