"""A recording as a LeRobotDataset v3, written with pyarrow alone.

- ``episodes``: stretches of policy steps under one command.
- ``servers``: the servers whose steps fit in one dataset.
- ``features``: the columns of the dataset and their names.
- ``statistics``: the statistics that lerobot stores.
- ``lerobot``: the files.
"""
