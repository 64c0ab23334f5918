"""How many robots does a policy service answer at their control rate, and what does a loss cost?

    python -m benchmarks.serving.load robots --json FILE
    python -m benchmarks.serving.load lost
    python -m benchmarks.serving.load inference

``robots`` plays virtual robots over real sockets, more and more of them, until the service is late:
until the p99 of the round trip exceeds the control period, or 1 % of the steps have no reply within
it. Services and generator have a processor each; ``robots per core`` is the largest number that
held. ``lost`` kills one of two services under load and starts it again. ``inference`` is the time
of one inference by its number of rows.
"""

from __future__ import annotations

import os

from benchmarks.lib.program import run_subcommand
from benchmarks.serving.load.inference import Inference
from benchmarks.serving.load.lost import Lost
from benchmarks.serving.load.robots import Robots
from benchmarks.serving.load.search import GeneratorError
from benchmarks.serving.load.services import ServiceError


def main(config: Robots | Lost | Inference) -> None:
    """Measures, prints the tables and writes the result."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        config.check()
        config.run()
    except (ServiceError, GeneratorError) as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    run_subcommand(
        main,
        {"robots": Robots, "lost": Lost, "inference": Inference},
        prog="python -m benchmarks.serving.load",
        description=__doc__,
    )
