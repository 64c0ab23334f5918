"""The sessions of a run in run.json, and the origin of a policy that several sessions made.

Each session notes code revision, machine, versions, device and the environment steps at which it
began. A session has a part in a run if a later session began behind its steps, or if it is the
last: the steps of a killed session after its last checkpoint are trained again by the next one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from skill_training.config import RunSettings
from skill_training.device import matmul_precision
from skill_training.run import provenance

Facts = dict[str, Any]
"""Content of run.json, or one of its sessions."""

SEPARATOR = ", then "


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Revisions, machines and versions of all that had a part in a policy, in order."""

    code_revision: str
    machine: str
    versions: dict[str, str]


def software_and_machine(run: RunSettings, device: torch.device) -> Facts:
    """Returns the facts of this process: revision, machine, precision of products, versions."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    return {
        "code_revision": provenance.code_revision(),
        "machine": provenance.machine(accelerator),
        "matmul": matmul_precision(device, run.matmul),
        "versions": provenance.versions(),
    }


def began(run: RunSettings, device: torch.device, env_steps: int, changes: Facts) -> Facts:
    """Returns a session that begins now.

    Args:
        run: Settings of the run, with the changes.
        device: Device of the session.
        env_steps: Environment steps of the checkpoint, 0 without one.
        changes: Settings that the session changed, by name.
    """
    return {
        "started": now(),
        "from_env_steps": env_steps,
        "device": run.device,
        "threads": run.threads,
        "changes": changes,
        **software_and_machine(run, device),
    }


def sessions(facts: Facts) -> list[Facts]:
    """Returns the sessions in run.json. The file of an older release has the facts of one."""
    listed: list[Facts] = facts.get("sessions", [])
    return listed or [{"from_env_steps": 0, **facts}]


def origin(facts: Facts, exporter: Facts | None = None) -> Origin:
    """Returns the origin of a policy.

    Args:
        facts: Content of run.json.
        exporter: Revision, machine and versions of the process that exports the policy.
    """
    parts = _with_a_part(sessions(facts))
    precisions = _distinct(part.get("matmul", "") for part in parts)
    machines = [
        f"{part['machine']} ({part['matmul']} products)" if len(precisions) > 1 else part["machine"]
        for part in parts
    ]
    named = [*parts, exporter] if exporter else parts
    libraries = _distinct(name for part in named for name in part["versions"])
    # The exporter's machine has no accelerator, which stands at the end of the text.
    if exporter and not any(part["machine"].startswith(exporter["machine"]) for part in parts):
        machines.append(f"exported on {exporter['machine']}")
    return Origin(
        code_revision=_joined(part["code_revision"] for part in named),
        machine=_joined(machines),
        versions={
            name: _joined(part["versions"][name] for part in named if name in part["versions"])
            for name in libraries
        },
    )


def now() -> str:
    """Returns the time in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _with_a_part(listed: Sequence[Facts]) -> list[Facts]:
    """Returns the sessions whose steps are in the run."""
    begins = [int(session["from_env_steps"]) for session in listed]
    return [
        session
        for index, session in enumerate(listed)
        if begins[index] < min(begins[index + 1 :], default=begins[index] + 1)
    ]


def _joined(values: Iterable[str]) -> str:
    return SEPARATOR.join(_distinct(values))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
