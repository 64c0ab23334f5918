"""The controller of one served arm. It has no socket.

- ``arm_server``: assembles arm, policy, authority and control loop.
- ``control_loop``: one tick per servo period.
- ``stop_reader``: executes stops, and stops the arm if the stop listener is silent.
- ``command_reader``: executes the commands of the gateway, and replies.
- ``dispatcher``: the effect of each command.
- ``state_writer``: writes the state of the server as plain numbers.
- ``backends``: the simulated arm, and its differences from the arm of training.
"""
