"""skill-ros2 beside other ROS programs, each a process of its own; the tests use these, too."""
