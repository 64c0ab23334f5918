"""Records that processes of one machine share: the newest record of a writer, and its memory.

These modules import only the standard library, so that a small process stays small.

- ``memory``: anonymous shared memory, passed to child processes as a file descriptor.
- ``seqlock``: the newest record of one writer.
"""
