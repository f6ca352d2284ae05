"""A procedural world of coloured shapes whose every event is known, for tests and for the tiny model."""
