"""Policies of other projects: trained, exported their way, described by hand, served, scored."""
