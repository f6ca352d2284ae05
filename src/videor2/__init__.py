"""Measure and train video language models whose reasoning agrees with their answer and points at the video."""

__version__ = "0.1.0"
