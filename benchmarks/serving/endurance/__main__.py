"""How a server bears a long run: at 1 kHz under load, or used for an hour.

    python -m benchmarks.serving.endurance loaded --minutes 10
    python -m benchmarks.serving.endurance soak --minutes 60

A tick is late if it begins more than half a servo period after it was due, or never does because
the one before began a whole period late. Memory is the resident memory of the server's process,
from the end of its first minute on. The server is skill-serve but for a counter of late ticks
(endurance_server.py).
"""

from __future__ import annotations

import math

import tyro

from benchmarks.serving.endurance import loaded as endurance_loaded
from benchmarks.serving.endurance import soak as endurance_soak
from benchmarks.serving.endurance.loaded import Loaded
from benchmarks.serving.endurance.soak import Soak
from benchmarks.serving.failures.rig import NeverHappenedError
from skill_runtime.console.flags import UsageError, check_number


def main(config: Loaded | Soak) -> None:
    """Measures, prints and writes."""
    if not config.model.is_file():
        raise SystemExit(f"endurance.py: {config.model} is no file; name a policy file by --model")
    try:
        check_number("minutes", config.minutes, 0.1, 10_000.0, unit="min")
        check_number("servo-rate", config.servo_rate, 100.0, 2000.0, unit="Hz")
        if isinstance(config, Loaded):
            check_number("blocks", config.blocks, 1, 1000)
            check_number("flood", config.flood, 1000.0, math.inf)
            endurance_loaded.run(config)
        else:
            endurance_soak.run(config)
    except (UsageError, NeverHappenedError) as error:
        raise SystemExit(f"endurance.py: {error}") from None


if __name__ == "__main__":
    main(
        tyro.extras.subcommand_cli_from_dict({"loaded": Loaded, "soak": Soak}, description=__doc__)
    )
