"""A model behind an OpenAI-compatible server: `videor2 serve`."""

from videor2.serve.app import serve

__all__ = ["serve"]
