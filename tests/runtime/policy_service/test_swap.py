"""Which files may take the place of a policy, and which names a client may give."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import Swap
from skill_proto.wire import WireError
from skill_runtime.policy import load_manifest
from skill_runtime.policy_service.swap import difference_of, named_file

MODELS = Path(__file__).parents[3] / "models"

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def manifest() -> PolicyManifest:
    return load_manifest(MODELS / "goal_panda.onnx")


def changed(manifest: PolicyManifest, change: Change) -> PolicyManifest:
    fields = manifest.model_dump(mode="json")
    change(fields)
    return PolicyManifest.model_validate(fields)


def set_unit(fields: dict[str, Any]) -> None:
    fields["observation"][2]["unit"] = "mm"


def drop_field(fields: dict[str, Any]) -> None:
    del fields["observation"][-1]


def scale_action(fields: dict[str, Any]) -> None:
    fields["action"][0]["scale"] *= 2


def double_rate(fields: dict[str, Any]) -> None:
    fields["control_rate_hz"] = 50.0


def widen_goals(fields: dict[str, Any]) -> None:
    fields["goal"]["high"][0] += 0.1


def grow_state(fields: dict[str, Any]) -> None:
    fields["recurrent"][0]["shape"] = [128]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (set_unit, "observation[2].unit is 'mm' instead of 'm'"),
        (drop_field, "observation has 8 entries instead of 9"),
        (scale_action, "action[0].scale is"),
        (double_rate, "control_rate_hz is 50.0 instead of 25.0"),
        (widen_goals, "goal.high[0] is"),
        (grow_state, "recurrent[0].shape[0] is 128 instead of 64"),
    ],
)
def test_a_file_that_clients_would_notice_is_no_drop_in(
    manifest: PolicyManifest, change: Change, text: str
) -> None:
    assert text in difference_of(manifest, changed(manifest, change))


def test_another_training_of_the_same_task_is_a_drop_in(manifest: PolicyManifest) -> None:
    def retrain(fields: dict[str, Any]) -> None:
        fields["name"], fields["provenance"]["seed"] = "goal_panda_2", 7
        fields["trained_on"]["cube_mass"]["high"] = 9.0

    assert difference_of(manifest, changed(manifest, retrain)) == ""


def test_a_policy_of_skills_is_no_drop_in_for_one_of_goals(manifest: PolicyManifest) -> None:
    other = load_manifest(MODELS / "csf_panda.onnx")
    assert difference_of(manifest, other) == "skill.kind is 'sphere' instead of 'none'"


def test_a_client_names_a_file_in_one_folder_only() -> None:
    present = Path("/models/pick.onnx")
    assert named_file(present, Swap()) == present
    assert named_file(present, Swap(file="pick2.onnx")) == Path("/models/pick2.onnx")
    for name in ("../pick.onnx", "/etc/passwd", "a/b.onnx", "..", "."):
        with pytest.raises(WireError, match="not the name of a file"):
            named_file(present, Swap(file=name))
