"""Does a server stay punctual and constant in memory over a long run?

    python -m benchmarks.serving.endurance loaded --minutes 10
    python -m benchmarks.serving.endurance soak --minutes 60

``loaded`` runs at 1 kHz under load; ``soak`` runs under normal use for an hour.

A tick is late if it begins more than half a servo period after its deadline. A skipped tick
(overrun) counts as late too. The counts of the server are those of telemetry. Memory is the
resident memory after the first minute: of the controller, and of all processes together.
"""

from __future__ import annotations

import math

from benchmarks.lib.program import run_subcommand
from benchmarks.serving.endurance import loaded, soak
from benchmarks.serving.endurance.loaded import Loaded
from benchmarks.serving.endurance.soak import Soak
from benchmarks.serving.failures.client_process import NeverHappenedError
from skill_runtime.console.flags import UsageError, check_number


def main(config: Loaded | Soak) -> None:
    """Measures, prints the tables and writes the result."""
    if not config.model.is_file():
        raise UsageError(f"{config.model} is no file; name a policy file: --model FILE")
    try:
        check_number("minutes", config.minutes, 0.1, 10_000.0, unit="min")
        check_number("servo-rate", config.servo_rate, 100.0, 2000.0, unit="Hz")
        if isinstance(config, Loaded):
            check_number("blocks", config.blocks, 1, 1000)
            check_number("flood", config.flood, 1000.0, math.inf)
            loaded.run(config)
        else:
            soak.run(config)
    except NeverHappenedError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    run_subcommand(
        main,
        {"loaded": Loaded, "soak": Soak},
        prog="python -m benchmarks.serving.endurance",
        description=__doc__,
    )
