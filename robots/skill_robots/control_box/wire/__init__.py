"""The messages of the Franka Control Interface, and the TCP services of robot and gripper.

- ``protocol``: ids, status codes, modes and sizes of versions 5 and 10.
- ``robot_state``: the state that is sent every millisecond.
- ``robot_command``: the command that answers a state, and the payloads of requests.
- ``poller``: the sockets that are ready.
- ``request_server``: a TCP port with one client, for both services.
- ``state_stream``: states and commands over UDP.
- ``robot_service``, ``gripper_service``: the two services.
"""
