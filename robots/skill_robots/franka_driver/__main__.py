"""A process of a robot: ``python -m skill_robots.franka_driver``, started by ``FrankaArm``.

Its settings, which come through standard input, say whether it is the driver or the gripper.
"""

from __future__ import annotations

import os
import pickle
import sys

from skill_proto.shared_memory.memory import map_memory
from skill_robots.franka_driver.config import DriverStart, HandStart
from skill_robots.franka_driver.driver import Driver
from skill_robots.franka_driver.hand import hand_driver
from skill_robots.franka_driver.records import SharedRecords, Status, Word
from skill_robots.franka_driver.robot import RobotCommandError, RobotLinkError, StartCheckError
from skill_robots.franka_driver.scheduling import leave_signals_to_parent


def main() -> None:
    """Serves until the end."""
    start: DriverStart | HandStart = pickle.load(sys.stdin.buffer)
    leave_signals_to_parent()
    records = SharedRecords(map_memory(start.memory))
    if isinstance(start, HandStart):
        code = hand_driver.serve(start, records)
    else:
        code = serve_driver(start, records)
    sys.stderr.flush()
    os._exit(code)  # neither the vendors' threads nor a motion that runs may delay the end


def serve_driver(start: DriverStart, records: SharedRecords) -> int:
    """Drives the robot until the end, and returns the exit code of the process."""
    driver = Driver(start, records)
    try:
        remarks = driver.begin()
        driver.cycle()
    except (StartCheckError, RobotCommandError, RobotLinkError, ImportError) as error:
        records.report.write(str(error))
        records.words[Word.DRIVER_STATUS] = Status.FAILED
        return 1
    records.report.write(*remarks)
    records.words[Word.DRIVER_STATUS] = Status.READY
    records.stop.write(driver.run())
    return 0


if __name__ == "__main__":
    main()
