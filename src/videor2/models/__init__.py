"""Models: load, prompt, generate, and the tiny one that ships with the package."""
