"""Runs a policy file, one ONNX graph with its manifest, with ONNX Runtime.

- ``policy_file``: opens the file and checks graph and manifest against each other.
- ``onnx_file``: reads an ONNX file; an error gives the reason of a refusal, and the fix.
- ``onnx_policy``: runs the graph for one or many streams of observations.
- ``arguments``: checks the arrays that a policy is given.
- ``observation_inputs``: the observation that a graph takes, from measured fields.
- ``plant_remarks``: differences between the plant of training and the plant that runs a policy.
- ``servo_rates``: servo rates that fit the rate of a policy.
- ``foreign``: drafts and checks the manifest of a graph that others trained.
- ``recurrent_state``: recurrent states per stream, never older than the trained horizon.
- ``context_distance``: Mahalanobis distance of an inferred context from the training contexts.
"""

from skill_runtime.policy.errors import PolicyError
from skill_runtime.policy.onnx_file.errors import PolicyFileError
from skill_runtime.policy.onnx_file.session import Device
from skill_runtime.policy.onnx_policy import OnnxPolicy, PolicyOutput
from skill_runtime.policy.policy_file import load_manifest

__all__ = [
    "Device",
    "OnnxPolicy",
    "PolicyError",
    "PolicyFileError",
    "PolicyOutput",
    "load_manifest",
]
