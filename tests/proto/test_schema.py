"""The committed JSON Schemas agree with the models and accept the same messages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from skill_proto.messages import ANY_MESSAGE
from skill_proto.schema import FOLDER, schemas

SKILL = {
    "type": "skill",
    "lease": "a",
    "seq": 1,
    "reference_time": 0.5,
    "valid_for_s": 0.2,
    "skill": [1, 0],
}
ACT = {
    "type": "act",
    "session": "s",
    "arrays": [{"name": "observation", "dtype": "float32", "shape": [1, 28]}],
}
OK: dict[str, Any] = {"v": 1, "type": "ok", "id": 3, "time": 1.5}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = json.loads((FOLDER / "messages.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_committed_schemas_are_current() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()}
    assert committed == schemas(), "run: python -m skill_proto.schema"


def test_the_manifest_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schemas()["manifest.schema.json"]))


@pytest.mark.parametrize("message", [{"type": "hello"}, SKILL, ACT, OK])
def test_schema_and_models_accept(validator: Draft202012Validator, message: dict[str, Any]) -> None:
    assert validator.is_valid(message)
    ANY_MESSAGE.validate_json(json.dumps(message), strict=True)


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"client": "x"},
        {"type": "teleport"},
        {"type": "hello", "v": 2},
        {"type": "hello", "speed": 1},
        {"type": "renew"},
        SKILL | {"skill": [0] * 1025},
        SKILL | {"skill": ["1", "0"]},
        SKILL | {"skill": [True, False]},
        SKILL | {"valid_for_s": 0},
        SKILL | {"seq": 1.5},
        SKILL | {"lease": ""},
        ACT | {"arrays": [{"name": "a", "dtype": "int8", "shape": [1]}]},
        OK | {"time": None},
    ],
    ids=json.dumps,
)
def test_schema_and_models_refuse_alike(
    validator: Draft202012Validator, message: dict[str, Any]
) -> None:
    assert not validator.is_valid(message)
    with pytest.raises(ValueError, match="validation error"):
        ANY_MESSAGE.validate_json(json.dumps(message), strict=True)
