"""Round trips of ``act`` beside other ways to serve the same policy; ``python -m`` runs it.

- ``floor``: bare ZeroMQ and ONNX Runtime, the lower bound in Python.
- ``grpc_peer``, ``http_peer``: gRPC with raw bytes, and HTTP with JSON.
- ``openpi_peer``: openpi's own server file, and its client from PyPI.
- ``own``: ``skill-serve --service-only`` and PolicyClient.
- ``bare_policy``: the policy as all peers run it.
- ``peer``: starts the process of a peer.
- ``timing``: requests of all peers in turns.
- ``sessions``: many sessions at a rate, and their late answers.
"""
