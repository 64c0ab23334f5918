"""The process: ``python -m skill_runtime.policy_service MODEL DEVICE ADDRESS INSTANCE``."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType

from skill_runtime.policy import PolicyFileError
from skill_runtime.policy_service.config import PolicyServiceConfig
from skill_runtime.policy_service.process import serve


def main(arguments: list[str]) -> None:
    """Answers requests until SIGTERM."""
    model, device, address, instance = arguments
    config = PolicyServiceConfig(
        model=Path(model),
        device="cuda" if device == "cuda" else "cpu",
        address=address,
        instance=instance,
    )
    ending = threading.Event()

    def end(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        ending.set()

    signal.signal(signal.SIGTERM, end)
    try:
        serve(config, beat=lambda: None, ending=ending.is_set)
    except PolicyFileError as error:
        sys.exit(f"policy service: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
