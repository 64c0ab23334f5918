"""A policy service without an arm, in processes of its own."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from skill_runtime.processes.service_only.serving import ServiceOnlyOptions, ServingPolicies
from skill_runtime.security.config import ServerSecurity

FREE_PORT = "tcp://127.0.0.1:*"


@contextmanager
def serving_policies(
    models: Mapping[str, Path], security: ServerSecurity | None = None
) -> Generator[ServingPolicies]:
    """Runs a service with these policies, by name, until the end of the block."""
    options = ServiceOnlyOptions(
        models=tuple(models.items()), address=FREE_PORT, server="test", security=security
    )
    lines: list[str] = []
    with ServingPolicies(options, lines.append) as serving:
        assert serving.start(), lines
        yield serving
