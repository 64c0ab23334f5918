"""One served arm.

- ``arm_server``: assembles all parts into one server.
- ``control_loop``: the thread that ticks at the servo rate.
- ``tick_budget``: the work of a tick besides moving the arm.
- ``message_server``: reads stops and commands, and sends replies and telemetry.
- ``dispatcher``: executes one command and returns the reply.
- ``validation``: checks the content of a command.
- ``telemetry``: the telemetry message.
- ``policy_service``: answers ``act`` in a second thread.
- ``policy_sessions``: recurrent states of the clients of ``act``.
- ``backends``: the simulated arm, and its differences from the arm of training.
"""
