"""openpi's own server file with its client from PyPI; both are fetched, and neither is kept here.

``python -m benchmarks.serving.act.openpi_peer MODEL PORT SERVER_FILE`` serves.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.serving.act.bare_policy import BarePolicy
from benchmarks.serving.act.peer import Peer, announce, free_port, server
from skill_proto.arrays import Float32Array
from skill_runtime.console.flags import UsageError

REVISION = "15a9616a00943ada6c20a0f158e3adb39df2ccac"
"""Revision of Physical-Intelligence/openpi, of 15 June 2026."""

SERVER_FILE = "src/openpi/serving/websocket_policy_server.py"

URL = f"https://raw.githubusercontent.com/Physical-Intelligence/openpi/{REVISION}/{SERVER_FILE}"

CLIENT = "openpi-client==0.1.2"

DOWNLOAD_S = 30.0


def main() -> None:
    """Serves until it is killed."""
    bare = BarePolicy(Path(sys.argv[1]))
    module = _load(Path(sys.argv[3]))
    from openpi_client import base_policy  # pyright: ignore[reportMissingImports]

    class Policy(base_policy.BasePolicy):  # pyright: ignore[reportUntypedBaseClass]
        def infer(self, obs: dict[str, Any]) -> dict[str, Any]:
            return {"action": bare.act(obs["observation"], obs["command"])}

    served = module.WebsocketPolicyServer(Policy(), host="127.0.0.1", port=int(sys.argv[2]))
    announce()
    served.serve_forever()


def _load(path: Path) -> Any:  # noqa: ANN401  a module without types
    spec = importlib.util.spec_from_file_location("websocket_policy_server", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def running(model: Path, files: Path) -> Generator[Peer]:
    """Yields the peer.

    Args:
        model: The policy file.
        files: Folder of :func:`fetch`.
    """
    port = free_port()
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH", ""), str(files)]))
    arguments = [str(model), str(port), str(files / Path(SERVER_FILE).name)]
    with server("benchmarks.serving.act.openpi_peer", arguments, {"PYTHONPATH": path}):
        sys.path.append(str(files))
        from openpi_client import (  # pyright: ignore[reportMissingImports]
            websocket_client_policy,
        )

        client: Any = websocket_client_policy.WebsocketClientPolicy("127.0.0.1", port)

        def call(observation: Float32Array, command: Float32Array) -> Float32Array:
            return client.infer({"observation": observation, "command": command})["action"]

        yield Peer("openpi", call)


def fetch(folder: Path, checkout: Path | None) -> str:
    """Puts openpi's server file and the PyPI client into a folder.

    Args:
        folder: The folder.
        checkout: A checkout of openpi; None downloads the one file.

    Returns:
        Digest of the server file.

    Raises:
        UsageError: The checkout does not have the server file.
        SystemExit: One of them cannot be downloaded; the text says how to go on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / Path(SERVER_FILE).name
    if checkout is not None:
        source = checkout / SERVER_FILE
        if not source.is_file():
            raise UsageError(f"{source} does not exist; give a checkout of openpi with --openpi")
        target.write_bytes(source.read_bytes())
    elif not target.is_file():
        try:
            with urllib.request.urlopen(URL, timeout=DOWNLOAD_S) as reply:
                target.write_bytes(reply.read())
        except OSError as error:
            raise SystemExit(
                f"openpi's server file cannot be downloaded from {URL}: {error}. Give a checkout "
                "with --openpi DIR, or leave openpi out with --no-openpi"
            ) from None
    if not (folder / "openpi_client").is_dir():
        # Without its dependencies: it asks for numpy below 2, and runs with the one that is here.
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
        if subprocess.run([*command, str(folder), CLIENT], check=False).returncode:
            raise SystemExit(f"{CLIENT} cannot be installed; leave openpi out with --no-openpi")
    return hashlib.sha256(target.read_bytes()).hexdigest()


if __name__ == "__main__":
    main()
