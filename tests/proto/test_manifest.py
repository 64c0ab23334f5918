"""A valid manifest survives the round trip; any other is refused with the reason."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from skill_proto.manifest import Context, ManifestError, PolicyManifest
from skill_proto.messages import REPLY, Welcome
from skill_proto.wire import pack, unpack


def fields() -> dict[str, Any]:
    """Returns a manifest in which every part is filled."""
    return {
        "schema_version": 1,
        "name": "push",
        "algorithm": "csf",
        "description": "Pushes the cube.",
        "control_rate_hz": 25.0,
        "observation": [
            {"name": "end_effector_position", "size": 3, "unit": "m", "frame": "world"},
            {"name": "cube_position", "size": 3, "unit": "m", "frame": "world"},
            {"name": "cube_quaternion", "size": 4, "unit": "1", "frame": "world"},
        ],
        "action": [
            {
                "name": "end_effector_displacement",
                "size": 3,
                "scale": 0.04,
                "unit": "m",
                "frame": "world",
            },
            {"name": "grasp", "size": 1, "scale": 1.0, "unit": "1", "frame": "none"},
        ],
        "skill": {"kind": "sphere", "size": 2, "hold_steps": 100},
        "goal": {
            "field": "cube_position",
            "components": [0, 1],
            "unit": "m",
            "frame": "world",
            "stop_radius": 0.02,
            "low": [-0.15, -0.15],
            "high": [0.15, 0.15],
        },
        "recurrent": [{"name": "hidden", "shape": [1, 64], "trained_horizon_steps": 200}],
        "context": {
            "size": 2,
            "center": [0.1, -0.2],
            "whitening": [[1.0, 0.0], [0.5, 2.0]],
            "typical_distance": 2.4,
            "estimates": [
                {"name": "cube_mass", "unit": "kg", "log_r2": 0.8},
                {"name": "cube_table_friction", "unit": "1", "log_r2": None},
            ],
        },
        "representation": {
            "inputs": ["cube_position"],
            "form": "linear",
            "size": 2,
            "singular_value_ratio": 0.9,
        },
        "plant": {
            "robot": "panda",
            "task": "tabletop",
            "physics_step_s": 0.005,
            "joint_stiffness": [600.0, 600.0],
            "joint_damping": [49.0, 49.0],
            "max_setpoint_error_m": 0.06,
            "workspace_low_m": [-0.3, -0.3, 0.0],
            "workspace_high_m": [0.2, 0.3, 0.3],
            "velocity_limit_share": 0.9,
        },
        "trained_on": {"cube_mass": {"low": 0.4, "high": 1.6, "unit": "kg"}},
        "provenance": {
            "command": "skill-train csf",
            "code_revision": "abc",
            "seed": 0,
            "environment_steps": 10,
            "gradient_steps": 5,
            "wall_time_s": 1.0,
            "created": "2026-01-01T00:00:00Z",
            "machine": "laptop",
            "versions": {"torch": "2.13"},
            "config": {"lr": 1e-4, "hidden": [256, 256]},
        },
        "evaluation": {"command": "skill-eval", "metrics": {"median_displacement_m": 0.3}},
        "tensors": {"inputs": {"observation": "obs"}, "outputs": {"action": "actions"}},
    }


def changed(path: str, value: object) -> dict[str, Any]:
    """Returns :func:`fields` with the entry at the dotted ``path`` replaced."""
    whole = fields()
    part: Any = whole
    *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in parents:
        part = part[key]
    part[last] = value
    return whole


def refusal(raw: object) -> str:
    with pytest.raises(ManifestError) as caught:
        PolicyManifest.from_json(raw if isinstance(raw, str) else json.dumps(raw))
    assert len(str(caught.value)) < 2500
    return str(caught.value)


def test_round_trip() -> None:
    manifest = PolicyManifest.from_json(json.dumps(fields()))
    assert PolicyManifest.from_json(manifest.to_json()) == manifest
    assert (
        json.loads(manifest.to_json()).items()
        >= {"name": "push", "skill": fields()["skill"]}.items()
    )


def test_sizes_follow_from_the_fields() -> None:
    manifest = PolicyManifest.from_json(json.dumps(fields()))
    assert (manifest.observation_size, manifest.action_size, manifest.goal_size) == (10, 4, 2)


def test_a_policy_without_skills_goals_or_recurrent_state_is_valid() -> None:
    bare = fields()
    for name in ("goal", "recurrent", "context", "representation", "evaluation", "tensors"):
        del bare[name]
    bare["skill"] = {"kind": "none", "size": 0}
    manifest = PolicyManifest.from_json(json.dumps(bare))
    assert manifest.goal_size == 0
    assert manifest.tensors.batch_axis == 0


@pytest.mark.parametrize(
    "text",
    ["", "{", "[" * 100_000, '{"a":' + "9" * 5000 + "}", "\ufeff{}", '{"name":"\ud800"}'],
    ids=["empty", "open", "deep", "huge", "bom", "surrogate"],
)
def test_a_text_that_is_not_json_is_refused(text: str) -> None:
    assert "not JSON" in refusal(text)


def test_json_that_is_no_object_is_refused() -> None:
    assert "must be a JSON object" in refusal("[]")


@pytest.mark.parametrize(
    ("version", "hint"),
    [(2, "upgrade skill-serve"), (0, "export the policy again"), ("x" * 9999, "export")],
)
def test_another_version_is_refused_with_a_fix(version: object, hint: str) -> None:
    assert hint in refusal(fields() | {"schema_version": version})


def test_a_manifest_without_a_version_is_refused() -> None:
    raw = fields()
    del raw["schema_version"]
    assert "schema_version is missing" in refusal(raw)


def test_a_policy_has_an_arm_or_a_world() -> None:
    neither, both = fields(), fields()
    del neither["plant"]
    both["world"] = {"name": "ant", "episode_steps": 200}
    for raw in (neither, both):
        assert "exactly one of plant (of an arm) and world must be given" in refusal(raw)
    del both["plant"]
    manifest = PolicyManifest.model_validate(both)
    with pytest.raises(
        ManifestError, match="world 'ant', which has no arm; run it with skill-eval"
    ):
        _ = manifest.arm_plant


@pytest.mark.parametrize("name", ["name", "observation", "action", "control_rate_hz"])
def test_a_missing_field_is_named(name: str) -> None:
    raw = fields()
    del raw[name]
    assert f"{name}: Field required" in refusal(raw)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("control_rate_hz", 0, "greater than 0"),
        ("control_rate_hz", math.inf, "finite"),
        ("observation", [], "at least 1"),
        ("observation.0.size", 0, "observation.0.size"),
        ("observation.1.name", "cube_quaternion", "given twice with another size"),
        ("action.0.scale", -1, "greater than 0"),
        ("action.0.name", "teleport", "end_effector_displacement"),
        ("action.1.name", "end_effector_displacement", "action gives a name twice"),
        ("skill.size", 0, "cannot have size 0"),
        ("skill.kind", "none", "cannot have size 2"),
        ("skill.kind", "cube", "sphere"),
        ("goal.field", "cube_velocity", "not an observation field"),
        ("goal.components", [0, 3], "exceed the 3 entries"),
        ("goal.components", [], "non-zero length"),
        ("goal.low", [0.0], "same, non-zero length"),
        ("goal.low", [0.2, 0.2], "exceeds high"),
        ("goal.stop_radius", 0, "greater than 0"),
        ("recurrent.0.shape", [0], "recurrent.0.shape.0"),
        ("recurrent.0.trained_horizon_steps", 0, "trained_horizon_steps"),
        ("recurrent.0.beyond_horizon", "forget", "'stagger' or 'carry'"),
        ("context.center", [0.1], "center must have 2 entries"),
        ("context.center", [], "center must have 2 entries"),
        ("context.whitening", [], "and 0 rows"),
        ("context.whitening", [[1.0, 0.0], [1.0]], "whitening 2 rows of 2"),
        ("context.whitening.0.0", math.nan, "finite"),
        ("context.typical_distance", 0, "greater than 0"),
        ("context.estimates.1.name", "cube_mass", "estimates and unidentified give a name twice"),
        ("context.estimates.0.log_r2", math.inf, "finite"),
        ("representation.singular_value_ratio", 1.1, "less than or equal to 1"),
        ("plant.joint_damping", [1.0], "joint_damping 1"),
        ("plant.velocity_limit_share", 1.1, "velocity_limit_share"),
        ("trained_on.cube_mass.low", 2.0, "low 2.0 exceeds high 1.6"),
        ("trained_on.cube_mass.high", math.nan, "finite"),
        ("provenance.seed", "x", "provenance.seed"),
        ("tensors.action_low", 1.0, "action_low 1.0 is not below action_high 1.0"),
        ("tensors.batch_axes", 0, "Extra inputs"),
        ("speed", 9, "speed: Extra inputs"),
    ],
)
def test_a_contradiction_is_refused_by_name(path: str, value: object, said: str) -> None:
    assert said in refusal(changed(path, value))


def test_states_agree_on_beyond_horizon() -> None:
    states = [
        {"name": name, "shape": [4], "trained_horizon_steps": 9, "beyond_horizon": rule}
        for name, rule in (("h", "stagger"), ("c", "carry"))
    ]
    assert "differ in beyond_horizon" in refusal(changed("recurrent", states))


def test_a_file_of_an_older_exporter_still_loads() -> None:
    """The first files of version 1 had fewer fields for recurrent state and context."""
    manifest = PolicyManifest.from_json(json.dumps(changed("context", {"size": 4})))
    assert manifest.context == Context(size=4)
    assert manifest.recurrent[0].beyond_horizon == "stagger"


def test_every_fault_is_found_at_once() -> None:
    raw = changed("control_rate_hz", -1) | {"speed": 9, "name": ""}
    message = refusal(raw)
    assert all(name in message for name in ("control_rate_hz", "speed", "name"))


def test_an_undefined_metric_is_null() -> None:
    raw = PolicyManifest.from_json(json.dumps(fields())).model_dump()
    raw["evaluation"]["metrics"]["displacement_r2"] = math.nan
    text = PolicyManifest.model_validate(raw).to_json()
    evaluation = PolicyManifest.from_json(text).evaluation
    assert evaluation is not None
    assert evaluation.metrics["displacement_r2"] is None


def test_trained_range_gives_both_ends_of_a_listed_quantity() -> None:
    mass = {"cube_mass": {"low": 0.4, "high": 1.6, "unit": "kg"}}
    manifest = PolicyManifest.from_json(json.dumps(fields() | {"trained_on": mass}))
    assert manifest.trained_range("cube_mass") == (0.4, 1.6)
    assert manifest.trained_range("cube_table_friction") is None


def test_a_manifest_does_not_change() -> None:
    manifest = PolicyManifest.from_json(json.dumps(fields()))
    with pytest.raises(ValidationError, match="frozen"):
        manifest.name = "other"


def test_a_manifest_travels_in_a_welcome() -> None:
    welcome = Welcome(
        time=1.0,
        server="skill-serve 0.1.0",
        robot="panda",
        backend="mujoco",
        simulated=True,
        mode="hold",
        servo_period_s=0.005,
        policy_rate_hz=25.0,
        telemetry_rate_hz=100.0,
        telemetry_address="tcp://127.0.0.1:5556",
        stop_address="tcp://127.0.0.1:5557",
        lease_holder=None,
        manifest=PolicyManifest.from_json(json.dumps(fields())),
    )
    assert unpack(pack(welcome), REPLY) == (welcome, {})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": [1.0, 2.0]}, "has 2 numbers for 3 entries"),
        ({"components": [2, 0], "offset": [0.1, 0.2, 0.3]}, "has 3 numbers for 2 entries"),
        ({"components": [3]}, "exceed its 3 entries"),
        ({"clip": [1.0, -1.0]}, "low 1.0 above -1.0"),
        ({"history": 0}, "greater than or equal to 1"),
        ({"name": "goal"}, "'goal' has 3, not 2 entries"),
        ({"name": "constant", "scale": 2.0}, "a constant takes neither scale nor clip"),
        ({"name": "constant", "scale": [1.0, 1.0, 2.0]}, "a constant takes neither"),
        ({"name": "constant", "offset": 5.0, "clip": [-1.0, 1.0]}, "a constant takes neither"),
    ],
)
def test_a_wrong_conversion_of_a_field_is_refused(change: dict[str, Any], said: str) -> None:
    field = {"name": "cube_position", "size": 3, "unit": "m", "frame": "world"}
    raw = fields()
    raw["observation"].append(field | change)
    assert said in refusal(raw)


def test_measured_fields_are_sent_once_and_given_ones_not_at_all() -> None:
    raw = fields()
    raw["observation"] += [
        {"name": "goal", "size": 2, "unit": "m", "frame": "world"},
        {
            "name": "cube_position", "size": 3, "unit": "m", "frame": "world",
            "components": [0], "history": 4,
        },
        {"name": "previous_action", "size": 4, "unit": "1", "frame": "none"},
        {"name": "constant", "size": 1, "unit": "1", "frame": "none", "offset": 2.0},
    ]  # fmt: skip
    manifest = PolicyManifest.from_json(json.dumps(raw))
    plain = PolicyManifest.from_json(json.dumps(fields()))
    assert manifest.observation_names == plain.observation_names
    assert manifest.observation_size == plain.observation_size == 10
    assert plain.is_plain
    assert not manifest.is_plain
    assert PolicyManifest.from_json(manifest.to_json()) == manifest


def test_a_goal_that_the_observation_has_needs_no_measured_field() -> None:
    raw = changed("goal.field", "end_effector_velocity")
    raw["observation"].append({"name": "goal", "size": 2, "unit": "m/s", "frame": "world"})
    assert PolicyManifest.from_json(json.dumps(raw)).goal_size == 2


def test_steps_of_one_input_have_one_length() -> None:
    raw = changed("observation.0.history", 3)
    raw["tensors"]["history"] = {"grouped_by": "step"}
    assert "differ in history" in refusal(raw)
