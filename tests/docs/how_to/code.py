"""How the Python code on the how-to pages is run."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.docs.how_to.pages import Block


@dataclass(frozen=True, kw_only=True)
class Executed:
    """A program that is run in the scratch folder of its page, beside the server of the page."""

    words: dict[str, str] = field(default_factory=dict)
    """Parts of the program, and what stands in their place."""
    because: str = ""
    """The reason for the difference."""
    first: str = ""
    """Lines before the program, which the page takes for granted."""
    says: str = ""
    """Part of its output."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """A file that the commands of the page need."""

    name: str


@dataclass(frozen=True, kw_only=True)
class Known:
    """Code that cannot be run by itself; it must be Python."""

    because: str
    """The reason, and the test of the same code."""
    is_part: bool = False
    """Whether it ends within a statement."""


Code = Executed | Written | Known

NEW_ARM = "docs/new-arm.md"
COPIED = "part of a file, with which tests/docs/test_new_arm_page.py compares it"
SAME = "the program of docs/worlds.md, which is run"

SHORT = {"env_steps=320_000": "env_steps=10_032"}

CODE: dict[tuple[str, str], Code] = {
    ("README.md", "from skill_runtime.client import SkillClient"): Executed(),
    ("README.md", "from dataclasses import replace"): Known(because=SAME),
    ("docs/ros2.md", "from crisp_py.robot import Robot, RobotConfig"): Known(
        because="needs ros2_control; tests/runtime/ros2/test_crisp.py runs the class without it"
    ),
    ("docs/training.md", "import skill_training"): Known(
        because="trains for minutes; tests/training/test_public_api.py calls the same functions"
    ),
    ("docs/worlds.md", "import numpy as np"): Executed(says="mass"),
    ("docs/worlds.md", "# my_world.py"): Written(name="my_world.py"),
    ("docs/worlds.md", "from dataclasses import replace"): Executed(
        words=SHORT,
        because="the warm-up and a gradient step are enough for a policy file",
        says="policy.onnx",
    ),
    ("docs/policy-service.md", "import numpy as np"): Executed(says="'csf_panda', 'pick'"),
    ("docs/scaling.md", "from skill_runtime.client.sharding import ShardedClient"): Executed(
        words={
            '"tcp://10.0.0.1:5555", ': "",
            '"tcp://10.0.0.1:5565", ': "",
            "tcp://10.0.0.2:5555": "SERVER_ADDRESS",
            'session="robot 17"': 'session="robot 17", model="csf_panda"',
        },
        because="one service has the sessions of all three; it has two models",
        first="import numpy as np\n\nobservation = np.zeros((1, 28), np.float32)\n",
    ),
    (
        "docs/scaling.md",
        'ShardedClient([f"tcp://skill-service-{i}.skill-service:5555" for i in range(4)])',
    ): Known(because="needs the names of pods; the program above it makes the same object"),
    (NEW_ARM, "PANDA = ArmSpec("): Known(because=COPIED, is_part=True),
    (NEW_ARM, "is_simulated = True"): Known(because=COPIED),
    (NEW_ARM, "@property"): Known(because=COPIED),
    (NEW_ARM, "return ArmState("): Known(because=COPIED, is_part=True),
    (NEW_ARM, "numbers = target.position.tolist() + target.velocity.tolist()"): Known(
        because=COPIED
    ),
    (NEW_ARM, "def reset(self, seed: int | None = None) -> None:"): Known(because=COPIED),
    (
        NEW_ARM,
        "SIMULATIONS: dict[Simulation, type[TabletopArm]] = "
        '{"mujoco": MujocoArm, "bullet": BulletArm}',
    ): Known(because=COPIED),
}
"""Page, first line of the block, and how it is run."""


def first_line(block: Block) -> str:
    """Returns the first line of a block without its indentation."""
    return block.text.strip().splitlines()[0]
