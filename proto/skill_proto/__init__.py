"""The data that crosses a boundary: policy files and messages on the wire.

- ``manifest``: the description that a policy file carries.
- ``messages``: every message on the wire, one pydantic model each.
- ``wire``: messages to ZeroMQ frames and back.
- ``schema``: JSON Schemas of manifest and messages, for programs in other languages.
- ``faults``: the classes of faults and how each one ends.
- ``printable``: text from the wire, safe to print.
- ``vectors``: rules for skills, goals and other bounded vectors.
- ``ports``: default ports and addresses.
- ``bounds``: bounds that hold in more than one place.
- ``shared_memory``: records that processes of one machine share.
- ``arrays``: array types that every package uses.
- ``files``: files that are replaced as a whole, and the shipped models.
- ``validation_text``: pydantic's errors as one line of text.
"""
