"""Opens a policy file, and chooses the way to run it."""

from __future__ import annotations

from pathlib import Path

from skill_runtime.policy import Device
from skill_runtime.policy.policy_file import PolicyFile, open_policy_file
from skill_runtime.policy_service.inference.bound_policy import BoundPolicy
from skill_runtime.policy_service.inference.restorable_policy import RestorableStepper
from skill_runtime.policy_service.inference.stepper import Stepper


def open_stepper(path: Path, *, device: Device, slots: int) -> Stepper:
    """Opens a policy file.

    Raises:
        PolicyFileError: The file cannot be served.
    """
    file = open_policy_file(path, device=device)
    if can_bind(file):
        return BoundPolicy(file, slots)
    return RestorableStepper(path, device=device, slots=slots)


def can_bind(file: PolicyFile) -> bool:
    """Returns whether the inputs and outputs of the graph are rows of numbers in our order.

    Others, of other exporters, are converted at the border of the graph (``OnnxPolicy``).
    """
    manifest = file.manifest
    extras = type(manifest.tensors).model_fields.keys() - {"inputs", "outputs"}
    plain = type(manifest.tensors)()
    return (
        file.batched
        and all(getattr(manifest.tensors, name) == getattr(plain, name) for name in extras)
        and manifest.is_plain
        and all(state.batch_axis is None for state in manifest.recurrent)
        and all(_is_single(node) for node in file.session.get_inputs())
        and all(_is_single(node) for node in file.session.get_outputs())
    )


def _is_single(node: object) -> bool:
    return node.type == "tensor(float)"  # pyright: ignore[reportAttributeAccessIssue]
