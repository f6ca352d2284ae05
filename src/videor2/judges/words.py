"""A table from words to what is known of them, filled as words come."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT = 65_536
"""Words kept; then the table starts anew, so that endless logs fill no memory."""


class WordMemo(dict[str, T], Generic[T]):
    """`memo[word]` is `of(word)`, worked out once. A plain dict look-up where the word is known.

    >>> lengths = WordMemo(len)
    >>> lengths["four"], len(lengths)
    (4, 1)
    """

    def __init__(self, of: Callable[[str], T]) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, word: str) -> T:
        if len(self) >= LIMIT:
            self.clear()
        known = self[word] = self.of(word)
        return known
