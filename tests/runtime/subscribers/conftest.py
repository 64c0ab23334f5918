"""One recording for all tests of its readers."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.runtime.subscribers.recorded import record


@pytest.fixture(scope="session")
def recording_file(policy_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two skills in an episode, and one in another; see ``recorded.record``."""
    path = tmp_path_factory.mktemp("recording") / "run.mcap"
    record(policy_file, path)
    return path
