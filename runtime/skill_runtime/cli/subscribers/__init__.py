"""Programs beside a server: they record it, measure it, and connect it with ROS.

- ``server_options``: flags of the server that they watch.
- ``record``: skill-record.
- ``replay``: skill-replay.
- ``metrics``: skill-metrics.
- ``ros2``: skill-ros2.
- ``web``, ``web_options``: skill-web, and its flags in skill-serve.
- ``web_process``: skill-web as a process of skill-serve.
"""
