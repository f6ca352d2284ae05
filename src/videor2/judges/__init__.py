"""The questions a judge answers about a reasoning, and the judge that ships with the package: rules."""

from videor2.judges.conclusion import Conclusion, How, Judge
from videor2.judges.rules import conclude

__all__ = ["Conclusion", "How", "Judge", "conclude"]
