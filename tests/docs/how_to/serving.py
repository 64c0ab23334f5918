"""How the commands about servers, clients and recordings are run."""

from __future__ import annotations

from tests.docs.how_to import shorter
from tests.docs.how_to.reasons import INDEX, NODE, ROS, ROS2, SYSTEMD
from tests.docs.how_to.steps import Absent, Interrupted, Run, Stays, Step

SERVICES = "docs/policy-service.md"
SERVICE = (
    "skill-serve --service-only --model csf_panda --model pick=models/goal_panda.onnx --port 5555"
)

COMMANDS: dict[str, dict[str, Step]] = {
    "docs/web-page.md": {
        "skill-serve --model models/csf_panda.onnx --web": Interrupted(says="/?token="),
        "skill-serve --model models/goal_panda.onnx --web --web-port 0": Stays(says="/?token="),
        "skill-web --address tcp://127.0.0.1:5655": Interrupted(says="/?token="),
    },
    "docs/ros2.md": {
        "skill-serve --model models/csf_panda.onnx": Interrupted(says="policy     csf_panda"),
        "source /opt/ros/jazzy/setup.bash": Absent(because=ROS),
        "skill-ros2 --address tcp://127.0.0.1:5555": Absent(because=NODE),
        "ros2 topic echo /joint_states": Absent(because=ROS2),
        'ros2 topic pub -r 20 /skill std_msgs/msg/Float64MultiArray "{data: [1.0, 0.0]}"': Absent(
            because=ROS2
        ),
        "ros2 topic pub -r 20 /goal geometry_msgs/msg/PointStamped "
        '"{header: {stamp: now, frame_id: world}, point: {x: 0.05, y: 0.0}}"': Absent(because=ROS2),
        "ros2 service call /stop std_srvs/srv/Trigger": Absent(because=ROS2),
        "ros2 service call /clear std_srvs/srv/Trigger": Absent(because=ROS2),
        "python3 -m venv --system-site-packages .venv": Run(
            makes=".venv/bin/python", change=shorter.WITHOUT_PIP
        ),
        ".venv/bin/pip install skill-serve": Absent(because=INDEX),
    },
    SERVICES: {
        SERVICE: Stays(says="pick"),
        "skill-control models": Run(says="pick"),
        "cp retrained.onnx models/goal_panda_2.onnx": Run(makes="models/goal_panda_2.onnx"),
        "skill-control swap pick goal_panda_2.onnx": Run(says="pick"),
    },
    "docs/scaling.md": {
        "sudo systemctl enable --now skill-service@5555 skill-service@5565": Absent(
            because=SYSTEMD
        ),
    },
    "docs/recording.md": {
        "skill-record run.mcap": Interrupted(makes="run.mcap", beside=True),
        "skill-record long.mcap --seconds 600": Run(
            makes="long.mcap", change=shorter.RECORDED_BRIEFLY
        ),
        "skill-record run.mcap --rotate-mb 100 --rotate-minutes 60": Interrupted(
            makes="run-002.mcap", change=shorter.ROTATED_BRIEFLY, beside=True
        ),
        "skill-record other.mcap --address tcp://127.0.0.1:5655": Interrupted(makes="other.mcap"),
        "skill-replay run.mcap": Run(says="no action differs"),
        "skill-replay run.mcap --model other.onnx": Run(says="no action differs"),
        "skill-replay run-001.mcap run-002.mcap": Run(says="no action differs"),
        "skill-replay run.mcap --drive": Run(),
        "skill-record --lerobot pushes run.mcap": Run(makes="pushes/meta/info.json"),
        "skill-record --lerobot pushes-at-5-hz run.mcap --fps 5": Run(
            makes="pushes-at-5-hz/meta/info.json"
        ),
        "skill-metrics": Interrupted(says="/metrics"),
        "skill-metrics --port 9600 --address tcp://127.0.0.1:5655": Interrupted(says="/metrics"),
    },
    "docs/security.md": {
        "skill-keys new client": Run(home="client", says="allow"),
        "skill-keys new server": Run(home="server"),
        "skill-keys allow alice controller 'KEY THAT ALICE SENT'": Run(
            home="server", change=shorter.KEY_OF_ALICE
        ),
        "skill-serve --model csf_panda --host 0.0.0.0": Stays(
            home="server", says="policy     csf_panda"
        ),
        "cp server.pub ~/.config/skill-serve/": Run(
            home="client",
            change=shorter.FILE_OF_SERVER,
            makes="client/.config/skill-serve/server.pub",
        ),
        "skill-control hello --address tcp://SERVER:5555": Run(
            home="client", says="csf_panda", change=shorter.ONE_MACHINE
        ),
    },
}
