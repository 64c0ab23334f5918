"""What crosses a boundary: the policy file's manifest and the messages on the wire."""
