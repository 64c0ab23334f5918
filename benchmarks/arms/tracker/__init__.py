"""Benchmarks of the tag tracker, examples/tag_tracker.py, on rendered images but for ``factors``.

- ``scene``: arm, table and a cube with tags, seen by cameras.
- ``cameras``: images at their rate, and poses that arrive late.
- ``accuracy``: errors of poses, on the table and lifted.
- ``goals``: a policy that reaches goals with poses of the tracker.
- ``factors``: the same policy with exact poses that have one flaw; nothing is rendered.
- ``placement``: directions from which cameras see a pushed cube.
"""
