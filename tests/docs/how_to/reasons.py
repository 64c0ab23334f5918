"""Reasons for which a command of a page cannot be run here."""

INDEX = "needs an index of packages; tests/packages builds and installs the distributions"
MAKE = (
    "installs packages, and `make test` runs this test; make shows the commands that it would run"
)
ROBOT = "needs a real robot; the commands with an address of this machine run"
CAMERAS = "needs cameras and printed tags; tests/examples/tag_tracking runs it with videos"
ROS = "needs a ROS installation; tests/runtime/ros2 runs the node with the wheels of rclpy"
NODE = "needs ROS in its environment; tests/runtime/ros2 runs it against a server"
ROS2 = (
    "needs the program ros2, which no wheel has; tests/runtime/ros2 sends these messages by rclpy"
)
SYSTEMD = "needs a running systemd and its administrator; tests/deploy checks the unit"
