"""The documents agree with the models: examples are valid, and every field and code is named."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import UnionType
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from skill_proto import manifest as manifests
from skill_proto import messages, wire
from skill_proto.manifest import PolicyManifest, TensorNames
from skill_proto.messages import ANY_MESSAGE, COMMAND, ErrorCode, Telemetry, Welcome

DOCS = Path(__file__).parents[2] / "docs"
PROTOCOL = (DOCS / "protocol.md").read_text(encoding="utf-8")
POLICY_FILE = (DOCS / "policy-file.md").read_text(encoding="utf-8")


def blocks(text: str) -> list[dict[str, Any]]:
    return [json.loads(block) for block in re.findall(r"```json\n(.*?)```", text, re.DOTALL)]


MANIFEST, TENSORS = blocks(POLICY_FILE)


def complete(example: dict[str, Any]) -> dict[str, Any]:
    """Returns an example with the manifest that it refers to."""
    if example["type"] == "policy_service":
        return example | {"models": [one | {"manifest": MANIFEST} for one in example["models"]]}
    return example | {"manifest": MANIFEST} if example["type"] == "welcome" else example


@pytest.mark.parametrize("example", blocks(PROTOCOL), ids=lambda example: example["type"])
def test_every_example_of_the_protocol_is_a_message(example: dict[str, Any]) -> None:
    message = ANY_MESSAGE.validate_json(json.dumps(complete(example)), strict=True)
    # Clients ignore unknown fields of replies, but an example must not have any.
    assert set(example) <= set(type(message).model_fields)


def test_every_message_has_an_example_with_all_its_required_fields() -> None:
    assert {example["type"] for example in blocks(PROTOCOL)} == set(
        ANY_MESSAGE.json_schema()["discriminator"]["mapping"]
    )


def test_replies_and_telemetry_are_shown_whole() -> None:
    shown = {example["type"]: set(example) for example in blocks(PROTOCOL)}
    for kind in (Telemetry, Welcome, messages.Granted, messages.Acted, messages.Error):
        assert shown[kind.model_fields["type"].default] == set(kind.model_fields)


def command_models() -> tuple[type[messages.Message], ...]:
    union: UnionType = get_args(messages.Command)[0]
    return get_args(union)


@pytest.mark.parametrize(
    "model",
    [
        *command_models(),
        messages.Swap,
        messages.Stop,
        Welcome,
        Telemetry,
        messages.Timing,
        messages.ArraySpec,
    ],
    ids=lambda model: model.__name__,
)
def test_every_field_of_the_protocol_is_explained(model: type[BaseModel]) -> None:
    missing = [name for name in model.model_fields if f"`{name}`" not in PROTOCOL]
    assert not missing


def test_every_error_code_and_mode_is_explained() -> None:
    for name in (*get_args(ErrorCode), *get_args(messages.Mode)):
        assert f"`{name}`" in PROTOCOL


def test_the_limits_are_those_of_the_code() -> None:
    assert f"| frames of a message | {wire.MAX_PARTS} |" in PROTOCOL
    assert f"| header | {wire.MAX_HEADER_BYTES // 1024} KiB |" in PROTOCOL
    assert f"| any frame | {wire.MAX_FRAME_BYTES // 2**20} MiB |" in PROTOCOL
    assert f"protocol, version {messages.PROTOCOL_VERSION}" in PROTOCOL


def test_the_session_is_made_of_commands() -> None:
    sent = re.findall(r"^> (\{.*\})$", PROTOCOL, re.MULTILINE)
    assert len(sent) >= 5
    for line in sent:
        COMMAND.validate_json(line, strict=True)


def test_the_example_manifest_is_whole() -> None:
    assert set(MANIFEST) == set(PolicyManifest.model_fields) - {"world"}  # it has an arm
    PolicyManifest.from_json(json.dumps(MANIFEST))


def test_the_foreign_tensors_fit_a_manifest() -> None:
    states = [
        {"name": name, "shape": [1, 64], "trained_horizon_steps": 100}
        for name in ("hidden", "cell")
    ]
    foreign = MANIFEST | {"recurrent": states, "tensors": TENSORS}
    tensors = PolicyManifest.from_json(json.dumps(foreign)).tensors
    assert tensors == TensorNames.model_validate(TENSORS)


@pytest.mark.parametrize(
    "model",
    [
        model
        for model in vars(manifests).values()
        if isinstance(model, type) and issubclass(model, BaseModel) and model is not BaseModel
    ],
    ids=lambda model: model.__name__,
)
def test_every_field_of_the_manifest_is_explained(model: type[BaseModel]) -> None:
    missing = [name for name in model.model_fields if f"`{name}`" not in POLICY_FILE]
    assert not missing
