"""Offline training of robot skills; the only package that imports torch."""
