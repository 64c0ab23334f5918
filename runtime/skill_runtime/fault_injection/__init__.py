"""The server on virtual time, with everything failing that can fail, and a judge."""
