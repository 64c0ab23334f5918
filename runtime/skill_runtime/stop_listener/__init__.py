"""The process that owns the stop socket and does nothing else.

It imports only the standard library, pyzmq and the memory that it shares with the controller.
"""
