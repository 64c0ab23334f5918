"""Shared memory between the processes of one server: records of bounded size, and no locks.

The controller never waits for another process, and no other process can make it wait. Every record
carries its length and a checksum, so that a record of a writer that died or went wrong is noticed.
The memory itself and the record of one writer are in ``skill_proto.shared_memory``.

- ``record_queue``: a bounded queue with one writer and one reader.
- ``wakeup``: wakes a process that waits.
- ``stop_requests``: stops from the stop listener to the controller, and their execution.
- ``text``: texts in records.
- ``codec``, ``messages``: commands and replies as records.
- ``state_layout``, ``state_record``: the state of the server as a record.
- ``channel``: all of them and single words, such as heartbeats, at fixed places of the memory.
"""
