"""Representations of frames.

- ``encoder``: settings, and a convolutional network.
- ``representation``: phi of frames, and the choice between the kinds of phi.
"""
