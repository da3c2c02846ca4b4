"""The demonstration behind scripts/run: two *backends* of its own, an example configuration, gproxy in front."""
