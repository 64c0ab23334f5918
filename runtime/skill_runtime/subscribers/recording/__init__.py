"""Recordings: MCAP files with the messages of the telemetry socket as they came.

- ``disk``: the bytes of a file, up to the last whole record on a disk that is full.
- ``recording_file``: one MCAP file.
- ``rotation``: files that follow each other.
- ``recorder``: from a subscription to files.
- ``records``: the records of a file, up to its end, a cut or damage.
- ``reader``: the messages of files, also of a file that was cut off.
"""
