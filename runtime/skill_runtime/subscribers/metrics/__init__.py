"""Telemetry for Prometheus.

- ``families``: the metrics of one state.
- ``exporter``: the newest state, across restarts of the server.
"""
