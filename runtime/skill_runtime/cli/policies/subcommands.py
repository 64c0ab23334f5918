"""Subcommands of skill-control for a policy service without an arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from tyro.conf import Positional, arg

from skill_proto.printable import printable
from skill_runtime.client import SkillClient
from skill_runtime.client.policy import PolicyClient


@dataclass(frozen=True, kw_only=True)
class ModelsSubcommand:
    """Policy service: list its policies."""

    def run(self, client: SkillClient) -> None:
        """Prints one paragraph for each policy."""
        with _service(client) as service:
            for model in service.models:
                manifest = model.manifest
                rows = {
                    "name": model.name,
                    "file": model.file,
                    "sha256": model.sha256,
                    "about": " ".join(manifest.description.split()),
                    "observation": ", ".join(
                        f"{field.name} [{field.size}]" for field in manifest.observation
                    ),
                    "action": ", ".join(f"{part.name} [{part.size}]" for part in manifest.action),
                    "rate": f"{manifest.control_rate_hz:g} Hz",
                    "device": model.device,
                }
                print("\n".join(f"{name:<12}{printable(text)}" for name, text in rows.items()))


@dataclass(frozen=True, kw_only=True)
class SwapSubcommand:
    """Policy service: replace a policy by another file, without a missed answer."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """Name of the policy; `models` lists them."""
    file: Annotated[Positional[str | None], arg(metavar="[FILE]", help_behavior_hint="")] = None
    """Name of a file in the folder of the present one. Default: read the present file again."""

    def run(self, client: SkillClient) -> None:
        """Swaps, and prints the new file."""
        with _service(client) as service:
            swapped = service.swap(self.name, self.file)
        print(printable(f"{swapped.model} is {swapped.file} now (sha256 {swapped.sha256})"))


def _service(client: SkillClient) -> PolicyClient:
    """Returns a client of the policy service at the same address."""
    return PolicyClient(client.address, timeout_s=client.timeout_s, key=client.keys)
