"""How the commands of README.md and docs/install.md are run."""

from __future__ import annotations

from tests.docs.how_to import shorter, training
from tests.docs.how_to.reasons import INDEX, MAKE, ROBOT
from tests.docs.how_to.steps import Absent, Interrupted, Run, Stays, Step

DEFAULT_SERVER = Stays(says="policy     csf_panda", change=shorter.NEVER_IDLE, once=True)

PUSH = Interrupted(says="skill")

COMMANDS: dict[str, dict[str, Step]] = {
    "README.md": {
        "make serve": Absent(because=MAKE),
        "make serve ARGS=--view": Absent(because=MAKE),
        "pip install skill-serve": Absent(because=INDEX),
        "skill-serve": DEFAULT_SERVER,
        ". .venv/bin/activate": Run(change=shorter.VENV),
        "skill-control skill 1 0": PUSH,
        "skill-control skill 0 -1 --for 4": Run(change=shorter.FOR_4),
        "skill-control goal 0.1 0.1": Interrupted(says="goal"),
        "skill-control scene --friction 0.2 --mass 1.5": Run(says="friction 0.2"),
        "skill-control reset": Run(says="reset; the arm holds"),
        "skill-control watch": Interrupted(says="lease"),
        "skill-control stop": Run(says="skill-control clear"),
        "pip install 'skill-serve[franka]'": Absent(because=INDEX),
        "skill-serve --model csf_panda --arm franka --address 172.16.0.2 --speed 0.2": Absent(
            because=ROBOT
        ),
        "skill-control-box --robot fr3 --address 127.0.0.2": Stays(
            says="real time", with_block=True
        ),
        "skill-serve --model csf_panda --arm franka --address 127.0.0.2": Stays(
            says="the robot stops itself at 150 N", with_block=True
        ),
        "skill-doctor": Run(says="recommended changes", change=shorter.DOCTOR, once=True),
        "skill-serve --model csf_panda --realtime --spin-us 200 --cpu 1": Interrupted(
            says="real-time scheduling", change=shorter.ANY_PROCESSOR
        ),
        "pip install 'skill-serve[web]'": Absent(because=INDEX),
        "skill-serve --model goal_panda --web": Interrupted(says="/?token="),
        "make install-dev": Absent(because=MAKE),
        **training.README,
        "make test": Absent(because=MAKE),
    },
    "docs/install.md": {
        "pip install skill-serve": Absent(because=INDEX),
        "skill-serve": DEFAULT_SERVER,
        "skill-control skill 1 0": PUSH,
        "pip install skill-client": Absent(because=INDEX),
        "python -c 'from skill_runtime.client import SkillClient; "
        'print(SkillClient("tcp://127.0.0.1:5555").hello().manifest.name)\'': Run(says="csf_panda"),
        "make install-dev": Absent(because=MAKE),
        ".venv/bin/python -m hatchling build": Run(change=shorter.BUILT_SERVE),
        "(cd packages/skill-client && ../../.venv/bin/python -m hatchling build)": Run(
            change=shorter.BUILT_CLIENT
        ),
    },
}
