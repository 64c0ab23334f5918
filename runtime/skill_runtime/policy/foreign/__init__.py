"""Manifests for graphs that others trained.

- ``metadata``: the entries that mjlab and exports of Isaac Lab carry.
- ``terms``: observation fields for the names of observations in those exports.
- ``graph_facts``: what inputs, outputs and states of a graph are.
- ``draft``: drafts a manifest, and lists the values that a person must fill in.
- ``explain``: problems of a manifest with their fixes, and its meaning in physical units.
"""
