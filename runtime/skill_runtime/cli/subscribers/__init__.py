"""Programs that record and measure a served arm, and those that read a recording.

- ``server_options``: flags of the server that they watch.
- ``record``: skill-record.
- ``replay``: skill-replay.
- ``metrics``: skill-metrics.
"""
