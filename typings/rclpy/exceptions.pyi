class ParameterException(Exception): ...  # noqa: N818  rclpy's name
