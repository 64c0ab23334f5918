"""The differences between the commands of the pages and those that are run, with their reasons."""

from __future__ import annotations

from tests.docs.how_to.steps import Change

MOVES_BRIEFLY = "an arm that moves for seconds moves in a fraction of one, too"
FOR_4 = Change(because=MOVES_BRIEFLY, words={"--for 4": "--for 0.4"})
FOR_3 = Change(because=MOVES_BRIEFLY, words={"--for 3": "--for 0.4"})
FOR_2 = Change(because=MOVES_BRIEFLY, words={"--for 2": "--for 0.4"})

ANY_PROCESSOR = Change(because="a machine may have one processor", words={"--cpu 1": "--cpu 0"})

NEVER_IDLE = Change(
    because="on a busy machine two commands are more than a minute apart, which stops the arm",
    adds="--stop-after inf",
)

RECORDED_BRIEFLY = Change(because="a second is recorded as ten minutes are", words={"600": "1"})
ROTATED_BRIEFLY = Change(
    because="the shortest time between two files is 6 s",
    words={"--rotate-minutes 60": "--rotate-minutes 0.1"},
)

MEASURED_BRIEFLY = "fifteen measurements of 5 s take more than a minute"
DOCTOR = Change(because=MEASURED_BRIEFLY, adds="--seconds 0.1")
DOCTOR_LONG = Change(because=MEASURED_BRIEFLY, words={"--seconds 60": "--seconds 0.1"})
DOCTOR_CPU = Change(because=MEASURED_BRIEFLY, words={"--cpu 3": "--cpu 0"}, adds="--seconds 0.1")

TRAINED_BRIEFLY = (
    "a training takes minutes to hours; Ctrl-C ends it once it has learned from some steps"
)
FIRST_STEP = "--warmup-steps 1 --log-interval 1"
TINY = f"--n-envs 4 {FIRST_STEP}"
TRAINED = Change(because=TRAINED_BRIEFLY, adds=f"{TINY} --task.episode-steps 10")
EIGHT_SCENES = Change(
    because=f"{TRAINED_BRIEFLY}; a task has eight scenes",
    adds=f"--n-envs 8 {FIRST_STEP} --task.episode-steps 10",
)
WINDOW = Change(
    because=f"{TRAINED_BRIEFLY}; an episode has at least one window of 50 steps",
    adds=f"{TINY} --task.episode-steps 50",
)
SHORT_LIFTS = Change(
    because=f"{TRAINED_BRIEFLY}; an episode has at least one window of 30 steps",
    adds=f"{TINY} --task.episode-steps 30",
)
FEW_BODIES = Change(because="48 episodes of 2,000 steps take a minute", adds="--skills 2")
FEW_DEMONSTRATIONS = Change(
    because=f"{TRAINED_BRIEFLY}; the demonstrations take a minute",
    adds=f"{TINY} --task.episode-steps 10 --saccm.demonstrations 4",
)
FEW_DEMONSTRATIONS_SCORED = Change(
    because=FEW_DEMONSTRATIONS.because,
    adds=f"{FEW_DEMONSTRATIONS.adds} --eval-interval 300 --eval-episodes 1",
)
SMALL_FRAMES = Change(
    because=f"{TRAINED_BRIEFLY}; frames are rendered without a graphics card",
    adds=f"{TINY} --task.episode-steps 10 --csf.representation.pixels.size 16 "
    "--csf.representation.pixels.channels 4",
)
SMALLER_FRAMES = Change(
    because=SMALL_FRAMES.because,
    words={"pixels.size 32": "pixels.size 16", "channels 16 32 32": "channels 4"},
    adds=f"{TINY} --task.episode-steps 10",
)
SHORT_GOALS = Change(
    because=TRAINED_BRIEFLY, adds=f"{TINY} --high.hold-steps 5 --task.steps-per-goal 5"
)
SHORTER_GOALS = Change(
    because=TRAINED_BRIEFLY,
    words={"--task.steps-per-goal 100": "--task.steps-per-goal 5"},
    adds=f"{TINY} --high.hold-steps 5",
)
LENGTHENED = Change(because=TRAINED_BRIEFLY, words={"3200000": "1600040"})
SWEPT = Change(because=f"{TRAINED_BRIEFLY}; one process suffices", words={" -- ": " --jobs 1 -- "})

SCORED_BRIEFLY = Change(
    because="the training ended early, without a policy; 192 pushes and 128 goals take a minute",
    words={"logs/csf/.../policy.onnx": "csf_panda"},
    adds="--skills 2 --episodes 1 --goals 0",
)
EACH_CELL_ONCE = Change(
    because="the training ended early, without a policy; 50 episodes in 20 cells take minutes",
    words={"logs/saccm/.../policy.onnx": "saccm_panda"},
    adds="--episodes 1",
)
SHIPPED_FILE = Change(
    because="the training ended early, without a policy",
    words={"logs/csf/.../policy.onnx": "csf_panda"},
)

_KEY_FILE = "client/.config/skill-serve/client.key"
ONE_MACHINE = Change(
    because="client and server are on one machine, on which no key is taken by itself",
    words={"SERVER": "127.0.0.1"},
    adds=f"--key {_KEY_FILE} --server-key client/.config/skill-serve/server.pub",
)
KEY_OF_ALICE = Change(
    because="Alice has sent the key that the first command prints",
    words={"'KEY THAT ALICE SENT'": f"\"$(sed -n 's/^public //p' {_KEY_FILE})\""},
)
FILE_OF_SERVER = Change(
    because="the operator of the server has sent the file",
    words={"server.pub": "server/.config/skill-serve/server.pub"},
)
VENV = Change(
    because="the environment is that of the tests",
    words={".venv/bin/activate": "VENV/bin/activate"},
)
WITHOUT_PIP = Change(because="pip is copied from no index, but slowly", adds="--without-pip")

BUILT_BRIEFLY = (
    "tests/packages builds, installs and uses wheel and sdist; the folder is a scratch folder"
)
BUILT_SERVE = Change(
    because=BUILT_BRIEFLY,
    words={".venv/bin/python": "cd ROOT; python"},
    adds="--target wheel --directory SCRATCH/dist",
)
BUILT_CLIENT = Change(
    because=BUILT_BRIEFLY,
    words={
        "../../.venv/bin/python": "python",
        "build)": "build --target wheel --directory SCRATCH/dist)",
    },
)
