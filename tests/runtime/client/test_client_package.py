"""The public surface of ``skill_runtime.client``."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType

from skill_runtime import client

SERVER_ONLY = ("mujoco", "onnxruntime", "torch", "skill_robots", "skill_training")


def test_every_public_name_is_exported() -> None:
    public = [
        name
        for name, value in vars(client).items()
        if not name.startswith("_") and not isinstance(value, ModuleType)
    ]
    constants_first = sorted(public, key=lambda name: (not name.isupper(), name))
    assert client.__all__ == constants_first


def test_the_client_imports_neither_simulator_nor_server() -> None:
    code = "import sys, skill_runtime.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert not set(SERVER_ONLY) & {name.split(".")[0] for name in loaded}
    ours = {name for name in loaded if name.startswith("skill_runtime.")}
    assert all(name.startswith(("skill_runtime.client", "skill_runtime.security")) for name in ours)
