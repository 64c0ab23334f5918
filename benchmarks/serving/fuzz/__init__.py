"""Random messages on every socket of a server; see ``__main__``."""
