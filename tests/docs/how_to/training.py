"""How the commands that train are run."""

from __future__ import annotations

from tests.docs.how_to import shorter
from tests.docs.how_to.steps import Absent, Change, Interrupted, Run, Step

SIGINT_CODE = 130
"""Exit code of a training that Ctrl-C has ended."""


def trains(change: Change | None) -> Interrupted:
    """A training that Ctrl-C ends after its first steps."""
    return Interrupted(says="upd/s", code=SIGINT_CODE, change=change)


def sweeps(makes: str) -> Interrupted:
    """A sweep that Ctrl-C ends in its first run."""
    return Interrupted(makes=makes, code=SIGINT_CODE, change=shorter.SWEPT)


README: dict[str, Step] = {
    "skill-train csf --seed 0": trains(shorter.TRAINED),
    "skill-train metra --help": Run(says="--metra."),
    "skill-eval --model logs/csf/.../policy.onnx --plot fan.png": Run(
        makes="fan.png", change=shorter.SCORED_BRIEFLY
    ),
    "skill-serve --model logs/csf/.../policy.onnx": Interrupted(
        says="policy     csf_panda", change=shorter.SHIPPED_FILE
    ),
    "skill-serve --model goal_panda --mass 0.8 --friction 0.4": Interrupted(
        says="policy     goal_panda"
    ),
    "skill-train goal": trains(shorter.EIGHT_SCENES),
    "skill-train saccm --task.contexts range": trains(shorter.FEW_DEMONSTRATIONS),
    "skill-eval --task skill-aware --engine bullet --model logs/saccm/.../policy.onnx": Run(
        says="extreme", change=shorter.EACH_CELL_ONCE
    ),
    "skill-train csf --world half_cheetah": trains(shorter.TRAINED),
    "skill-train context --world varied_half_cheetah --objective sance-cross": trains(
        shorter.WINDOW
    ),
    "skill-train sweep csf --folder logs/seeds --seeds 0..4 -- --world ant": sweeps(
        "logs/seeds/sweep.json"
    ),
}

PIXELS = "--csf.representation.inputs pixels"
OF_32 = "--csf.representation.pixels.size 32 --csf.representation.pixels.channels 16 32 32"

COMMANDS: dict[str, dict[str, Step]] = {
    "docs/training.md": {
        "skill-train csf --resume RUN": trains(None),
        "skill-train csf --resume RUN --env-steps 3200000": trains(shorter.LENGTHENED),
        "skill-train csf --resume RUN --device cpu": trains(None),
        "skill-train saccm --keep-best success.seen": trains(shorter.FEW_DEMONSTRATIONS_SCORED),
        "skill-train sweep csf --folder logs/weights --seeds 0..4 "
        "--set csf.contrast-weight=1,5,25 -- --world half_cheetah": sweeps(
            "logs/weights/csf.contrast-weight=1_seed0/run.json"
        ),
    },
    "docs/worlds.md": {
        "skill-train csf --world half_cheetah": trains(shorter.TRAINED),
        "skill-train metra --world ant --env-steps 3200000": trains(shorter.TRAINED),
        "skill-train csf --world gymnasium:Reacher-v5": trains(shorter.TRAINED),
        "skill-train csf --world my_world:make_environment": trains(shorter.TRAINED),
        "skill-train context --world varied_half_cheetah": trains(shorter.WINDOW),
        "skill-train csf --world crippled_ant": trains(shorter.TRAINED),
        "skill-eval --baseline iid --world crippled_ant --contexts extreme": Run(
            says="return", change=shorter.FEW_BODIES
        ),
        "skill-train context --world panda_lift --objective forward-model": trains(
            shorter.SHORT_LIFTS
        ),
        "skill-train csf --preset paper-ant": trains(shorter.TRAINED),
        "skill-train metra --preset paper-half-cheetah --env-steps 1600000": trains(
            shorter.TRAINED
        ),
        "skill-train csf --preset fast-ant": trains(shorter.TRAINED),
        "skill-train csf --preset discovered-panda": trains(shorter.TRAINED),
        "skill-train csf --world gymnasium:gymnasium_robotics:PointMaze_UMaze-v3 "
        "--task.coordinates achieved_goal --task.cell 0.1": Absent(
            because="needs gymnasium-robotics, which is not among the development packages"
        ),
        f"skill-train csf --world half_cheetah {PIXELS}": trains(shorter.SMALL_FRAMES),
        "skill-train metra --metra.representation.inputs pixels "
        "--metra.representation.pixels.camera cube": trains(shorter.TRAINED),
        f"skill-train csf --world half_cheetah {PIXELS} {OF_32} "
        "--csf.representation.pixels.every 8 --csf.representation.learning-rate 1e-3 "
        "--csf.batch-size 128 --env-steps 76800 --eval-interval 12800": trains(
            shorter.SMALLER_FRAMES
        ),
        f"skill-train csf {PIXELS} --csf.representation.pixels.camera cube {OF_32} "
        "--csf.representation.learning-rate 1e-3 --csf.batch-size 128 --env-steps 64000 "
        "--eval-interval 12800": trains(shorter.TRAINED),
        "skill-train high --high.low-level models/csf_ant.onnx --world ant_multi_goal": trains(
            shorter.SHORT_GOALS
        ),
        "skill-train high --high.low-level models/csf_half_cheetah.onnx "
        "--world half_cheetah_goal": trains(shorter.SHORT_GOALS),
        "skill-train high --high.low-level models/csf_panda.onnx --world tabletop --task.goals 2 "
        "--task.steps-per-goal 100": trains(shorter.SHORTER_GOALS),
    },
}
