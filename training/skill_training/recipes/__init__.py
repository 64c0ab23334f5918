"""Kinds of training runs, one file each; ``registry.py`` lists them."""
