"""Export of policies as ONNX files.

- ``graph``: base of exported policies, and an adapter to the robots' policy interface.
- ``skill_graph``: policies that take skills or goals.
- ``high_level_graph``: a high level and its skills in one policy.
- ``context_graph``: policies with a context encoder.
- ``calibration``: context distances and estimates on held-out episodes.
- ``inputs``: check of tensor names, and random inputs.
- ``compatibility``: files that older releases of ONNX Runtime open.
- ``onnx_file``: export with a parity check against torch.
"""
