"""How the commands about real arms, trackers and real time are run."""

from __future__ import annotations

from tests.docs.how_to import shorter
from tests.docs.how_to.reasons import CAMERAS, INDEX, ROBOT
from tests.docs.how_to.steps import Absent, Interrupted, Run, Stays, Step

TRACKER = "python examples/tag_tracker.py"

COMMANDS: dict[str, dict[str, Step]] = {
    "docs/deployment.md": {
        "pip install 'skill-serve[franka,tracker]'": Absent(because=INDEX),
        "skill-control-box --robot fer --start low --address 127.0.0.5": Stays(
            says="real time", with_block=True
        ),
        "skill-serve --model csf_panda --arm franka --address 127.0.0.5 --speed 0.2": Stays(
            says="the robot stops itself at 150 N", with_block=True
        ),
        "pip install 'skill-serve[franka]'": Absent(because=INDEX),
        "skill-serve --model csf_panda --arm franka --address 172.16.0.2 --speed 0.2 "
        "--realtime": Absent(because=ROBOT, instead="skill-serve"),
        "skill-control watch": Interrupted(says="lease"),
        "skill-control pose 0 0 0.2 --for 3": Run(change=shorter.FOR_3),
        "skill-control skill 0 1 --for 2": Run(change=shorter.FOR_2),
        "skill-serve --model A.onnx --arm franka --address 172.16.0.2 --port 5555 --realtime "
        "--cpu 2": Absent(because=ROBOT),
        "skill-serve --model B.onnx --arm franka --address 172.16.1.2 --port 5565 --realtime "
        "--cpu 3": Absent(because=ROBOT),
    },
    "docs/tracker.md": {
        "pip install 'skill-serve[tracker]'": Absent(because=INDEX),
        f"{TRACKER} sheet --out tags.pdf": Run(makes="tags.pdf"),
        f"{TRACKER} intrinsics --file cameras.json --camera left --source 0": Absent(
            because=CAMERAS
        ),
        f"{TRACKER} intrinsics --file cameras.json --camera right --source 2": Absent(
            because=CAMERAS
        ),
        f"{TRACKER} extrinsics --file cameras.json": Absent(because=CAMERAS),
        "skill-serve --model goal_panda --track cube": Interrupted(says="policy     goal_panda"),
        f"{TRACKER} track --file cameras.json": Absent(because=CAMERAS),
    },
    "docs/realtime.md": {
        "skill-doctor": Run(says="recommended changes", change=shorter.DOCTOR, once=True),
        "skill-doctor --seconds 60 --json doctor.json": Run(
            makes="doctor.json", change=shorter.DOCTOR_LONG
        ),
        "skill-doctor --cpu 3": Run(says="recommended changes", change=shorter.DOCTOR_CPU),
    },
}
