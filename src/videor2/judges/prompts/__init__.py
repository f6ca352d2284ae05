"""The questions that are put to a language model, one file each: its words, its schema, how its reply is read."""

from typing import Final

from videor2.judges.prompts.claims import CLAIMS
from videor2.judges.prompts.comparison import COMPARISON
from videor2.judges.prompts.conclusion import CONCLUSION
from videor2.judges.prompts.rating import RATING

PROMPT_VERSIONS: Final = {q.name: q.version for q in (CONCLUSION, CLAIMS, COMPARISON, RATING)}
"""To be kept beside every figure that a judge had a part in."""

__all__ = ["CLAIMS", "COMPARISON", "CONCLUSION", "PROMPT_VERSIONS", "RATING"]
