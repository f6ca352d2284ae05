"""The questions a judge answers about a reasoning. `rules` ships with the package; `llm` asks a language model, with
one file a question in `prompts`; `pool` asks many at once; `cache` and `budget` keep replies and count requests.
"""

from videor2.judges.conclusion import AsyncJudge, Conclusion, How, Judge, Request
from videor2.judges.rules import conclude

__all__ = ["AsyncJudge", "Conclusion", "How", "Judge", "Request", "conclude"]
