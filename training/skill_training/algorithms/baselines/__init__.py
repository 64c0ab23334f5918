"""Baselines and ablations of skill discovery, one file each.

- ``misl``: CSF with another kernel, without its bottleneck, or with a scalar critic.
- ``lsd``, ``csd``: METRA with another distance between states.
- ``diayn``, ``dads``, ``cic``: other estimates of the mutual information.
"""
