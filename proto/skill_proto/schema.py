"""JSON Schemas of the manifest and the messages, for programs in other languages.

``python -m skill_proto.schema`` writes them after a change of the models; a test compares the
committed files with the models.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import ANY_MESSAGE

FOLDER = Path(__file__).parent / "schemas"
"""Folder of the committed schemas; they ship with the package."""


class _Generator(GenerateJsonSchema):
    """Pydantic's schema without a title per field, and with ``type`` required as on the wire."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401  pydantic's signature
        del schema
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        if "const" in described.get("properties", {}).get("type", {}):
            described["required"] = ["type", *described.get("required", [])]
        return described

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        return {"$schema": self.schema_dialect, **super().generate(schema, mode)}


def schemas() -> dict[str, str]:
    """Returns the text of every schema file, by file name."""
    manifest = PolicyManifest.model_json_schema(schema_generator=_Generator)
    messages = ANY_MESSAGE.json_schema(schema_generator=_Generator)
    return {
        f"{name}.schema.json": json.dumps(schema, indent=1) + "\n"
        for name, schema in (("manifest", manifest), ("messages", messages))
    }


def main() -> None:
    """Writes the schema files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
