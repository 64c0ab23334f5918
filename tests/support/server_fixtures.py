"""Fixtures that run a server; a conftest.py imports those that its folder needs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.support.served import Served, serving

from skill_runtime.client import SkillClient


@pytest.fixture
def serve() -> Iterator[Callable[..., Served]]:
    """Serves a model until the test ends; options as in :func:`serving`."""
    with ExitStack() as running:

        def start(model: Path, **options: Any) -> Served:  # noqa: ANN401  those of serving()
            return running.enter_context(serving(model, **options))

        yield start


@pytest.fixture
def served(serve: Callable[..., Served], policy_file: Path) -> Served:
    """A server with the hand-written pusher and a simulated arm that holds."""
    return serve(policy_file)


@pytest.fixture
def client(served: Served) -> Iterator[SkillClient]:
    """A client of that server that has not sent a request."""
    with SkillClient(served.address, timeout_s=10.0) as client:
        yield client
