"""How a server bears a long run: at 1 kHz under load, or used for an hour.

    python benchmarks/endurance.py loaded --minutes 10
    python benchmarks/endurance.py soak --minutes 60

A tick is late if it begins more than half a servo period after it was due, or never does because
the one before began a whole period late. Memory is the resident memory of the server's process,
from the end of its first minute on. The server is skill-serve but for a counter of late ticks
(endurance_server.py).
"""

from __future__ import annotations

import math

import endurance_loaded
import endurance_soak
import tyro
from endurance_loaded import Loaded
from endurance_soak import Soak
from failure_rig import NeverHappenedError

from skill_runtime.usage import UsageError, check_number


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
