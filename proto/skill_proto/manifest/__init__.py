"""PolicyManifest: the description that a policy file carries.

The manifest travels as JSON in the ONNX file's ``metadata_props`` under :data:`METADATA_KEY`, or in
a file beside it. It is the whole contract between training and serving: the inputs and outputs of
the graph, the plant that the policy was trained on, and the conditions under which it was
evaluated. docs/policy-file.md describes every field in prose.

- ``interface``: observation fields, action parts, names of tensors.
- ``parts``: skills, goals, recurrent states, context, provenance, evaluation.
- ``policy_manifest``: the whole manifest, and its JSON form.
"""

from skill_proto.manifest.interface import (
    GIVEN_FIELDS,
    ActionPart,
    HistoryLayout,
    ObservationField,
    TensorNames,
)
from skill_proto.manifest.parts import (
    Context,
    ContextEstimate,
    Evaluation,
    GoalSpace,
    Provenance,
    Range,
    RecurrentState,
    Representation,
    SkillSpace,
)
from skill_proto.manifest.policy_manifest import (
    METADATA_KEY,
    SCHEMA_VERSION,
    ManifestError,
    PolicyManifest,
)

__all__ = [
    "GIVEN_FIELDS",
    "METADATA_KEY",
    "SCHEMA_VERSION",
    "ActionPart",
    "Context",
    "ContextEstimate",
    "Evaluation",
    "GoalSpace",
    "HistoryLayout",
    "ManifestError",
    "ObservationField",
    "PolicyManifest",
    "Provenance",
    "Range",
    "RecurrentState",
    "Representation",
    "SkillSpace",
    "TensorNames",
]
