"""The sessions of a run in run.json, and the origin of a policy that several sessions made.

Each session notes code revision, machine, versions, device and the environment steps at which it
began. The origin lists a session if every later session began at a later step, or if it is the
last. A session that was killed before its first checkpoint is not listed, since the next session
trains its steps again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import torch
from pydantic import BaseModel

from skill_training.config import RunSettings
from skill_training.device import matmul_precision
from skill_training.run import provenance

Facts = dict[str, Any]
"""Content of run.json, or one of its sessions."""


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Revisions, machines and versions of all programs that made a policy, in order."""

    code_revision: str
    machine: str
    versions: dict[str, str]


class _Program(BaseModel):
    code_revision: str
    machine: str
    versions: dict[str, str]


class _Session(_Program):
    from_env_steps: int


class _Run(_Program):
    sessions: list[_Session] = []


def check_facts(facts: object) -> None:
    """Checks the entries of run.json that an export reads.

    Raises:
        ValidationError: one is missing, or has another type.
    """
    _Run.model_validate(facts)


def unknown_facts() -> Facts:
    """Returns the facts of a run whose run.json is lost."""
    return {"code_revision": "unknown", "machine": "unknown", "versions": {}}


def software_and_machine(accelerator: str | None = None) -> Facts:
    """Returns the facts of this process: revision, machine and versions."""
    return {
        "code_revision": provenance.code_revision(),
        "machine": provenance.machine(accelerator),
        "versions": provenance.versions(),
    }


def trainer_facts(run: RunSettings, device: torch.device) -> Facts:
    """Returns the facts of a process that trains, with its precision of matrix products."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else None
    precision = matmul_precision(device, run.matmul)
    return {**software_and_machine(accelerator), "matmul": precision}


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
        **trainer_facts(run, device),
    }


def sessions(facts: Facts) -> list[Facts]:
    """Returns the sessions in run.json. The facts of an older release are those of one session."""
    listed: list[Facts] = facts.get("sessions", [])
    return listed or [{"from_env_steps": 0, **facts}]


def origin(facts: Facts, exporter: Facts | None = None) -> Origin:
    """Returns the origin of a policy.

    Args:
        facts: Content of run.json.
        exporter: Revision, machine and versions of the process that exports the policy.
    """
    parts = _with_a_part(sessions(facts))
    # A session of an older release has no entry of its precision.
    precisions = _distinct(part["matmul"] for part in parts if "matmul" in part)
    machines = [
        f"{part['machine']} ({part['matmul']} products)"
        if len(precisions) > 1 and "matmul" in part
        else part["machine"]
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
    return ", then ".join(_distinct(values))


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
