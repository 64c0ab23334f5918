"""pydantic's errors as one line of bounded length."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError

from skill_proto.validation_text import clip, describe_errors


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    size: int
    names: tuple[str, ...] = ()


def text(fields: dict[str, object], limit: int = 8) -> str:
    with pytest.raises(ValidationError) as caught:
        Model.model_validate(fields)
    return describe_errors(caught.value, limit)


def test_a_scalar_is_shown_with_its_fault() -> None:
    assert text({"size": "x"}).startswith("size: Input should be a valid integer")
    assert text({"size": "x"}).endswith(", got 'x'")
    assert text({}) == "size: Field required"


def test_names_of_fields_are_safe_to_print() -> None:
    faults = text({"size": 1, "a\x1b[2Kb\n\u202e": 1})
    assert faults.startswith(r"a\x1b[2Kb\n\u202e: Extra inputs")


def test_further_faults_are_counted() -> None:
    faults = text({"size": 1, "names": [1, 2, 3]}, limit=1)
    assert faults.startswith("names.0: ")
    assert faults.endswith("; and 2 more")


def test_long_text_is_clipped() -> None:
    assert clip("abcdef", 3) == "abc..."
    assert clip("abc", 3) == "abc"
