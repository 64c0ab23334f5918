"""A training run of any recipe.

- ``job``: create or resume, train, export.
- ``trainer``: the training loop.
- ``directory``: the run directory.
- ``checkpoint``: the state of a run in one file.
- ``metrics_log``: metrics.jsonl and TensorBoard.
- ``progress``: the progress display.
- ``provenance``: code revision, machine and versions.
- ``card``: the card of a policy file.
- ``config_io``: configurations from JSON and as commands.
- ``flag_errors``: messages for out-of-range flags.
- ``plot``: training curves.
"""
