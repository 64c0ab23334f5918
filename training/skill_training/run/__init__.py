"""A training run of any recipe.

- ``job``: create or resume, train, export at the end.
- ``session``: one process that trains a run.
- ``trainer``: the training loop.
- ``directory``: the run directory.
- ``checkpoint``: the state of a run in one file.
- ``best``: the policy of the best evaluation, kept in that state.
- ``metrics_log``: metrics.jsonl and TensorBoard.
- ``progress``: the progress display.
- ``provenance``: code revision, machine and versions.
- ``policy_export``: the policy of a checkpoint as a file.
- ``card``: the card of a policy file.
- ``config_io``: configurations from JSON and as commands.
- ``plot``: training curves.
"""
