"""Read datasets into samples and responses, and write them back."""

from videor2.data.examples import DataError, Example, read_examples, write_examples

__all__ = ["DataError", "Example", "read_examples", "write_examples"]
