"""One policy of the service: its file, its sessions, and the requests that wait for inference."""

from __future__ import annotations

from pathlib import Path

from skill_proto.manifest import PolicyManifest
from skill_proto.messages import ServedPolicy
from skill_runtime.policy import Device
from skill_runtime.policy_service.batch import Batch
from skill_runtime.policy_service.config import MAX_ROWS, largest_array_bytes
from skill_runtime.policy_service.inference.opening import open_stepper
from skill_runtime.policy_service.inference.stepper import Stepper
from skill_runtime.policy_service.sessions import PolicySessions

MAX_PATH = 256
"""Characters of a path in a reply; of a longer one, its end is sent."""


class ServedModel:
    """One policy.

    Args:
        name: Name for ``model`` of a request.
        stepper: The open policy, whose slots are all free.
        device: Where it runs.
        slots: Number of its slots.

    Attributes:
        stepper: the policy in force; a swap replaces it between two inferences.
        sessions: its sessions.
        batch: the requests that share its next inference.
    """

    def __init__(self, name: str, stepper: Stepper, device: Device, slots: int = MAX_ROWS) -> None:
        self.name = name
        self.stepper = stepper
        self.device: Device = device
        self.slots = slots
        self.sessions = PolicySessions(slots, self._reset_slot)
        self.batch = Batch()
        self.largest_array = largest_array_bytes(stepper.manifest)

    @classmethod
    def open(cls, name: str, path: Path, device: Device) -> ServedModel:
        """Opens a policy file.

        Raises:
            PolicyFileError: The file cannot be served.
        """
        return cls(name, open_stepper(path, device=device, slots=MAX_ROWS), device)

    @property
    def manifest(self) -> PolicyManifest:
        """Manifest of the policy in force."""
        return self.stepper.manifest

    @property
    def description(self) -> ServedPolicy:
        """Describes the policy to clients."""
        return ServedPolicy(
            name=self.name,
            file=str(self.stepper.path)[-MAX_PATH:],
            sha256=self.stepper.sha256,
            device=self.device,
            manifest=self.manifest,
        )

    def replace(self, stepper: Stepper) -> None:
        """Puts another policy in force, which continues the recurrent states of all sessions."""
        stepper.set_memory(self.stepper.memory())
        self.stepper = stepper

    def _reset_slot(self, slot: int) -> None:
        self.stepper.reset_slot(slot)
