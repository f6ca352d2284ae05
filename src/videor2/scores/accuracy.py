"""Accuracy: is the answer right, in the way that its kind of question is compared?

The accuracy reward of arXiv 2511.23478, which follows Video-R1: letter, number, relative error, word error
rate, ROUGE. Ours compares values where the published one compares spellings.
"""

import re
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from typing import Any

from rapidfuzz.distance import Levenshtein

from videor2.answers import Options, infer_kind, letter_of, normalise_options, normalise_text
from videor2.numerals import canonical_number, read_number
from videor2.sample import Kind
from videor2.scores.score import Score
from videor2.trace import Trace


def accuracy(response: Trace | str, *, answer: str | None, options: Options = (), kind: Kind | None = None) -> Score:
    """How right the answer block of a response is, against the reference `answer`.

    - `choice`: 1 for the same letter, given as a letter or as the option's text;
    - `number`: 1 for an equal value, whatever its notation or unit;
    - `regression`: 1 - relative error, at least 0; a reference of 0 must be met exactly;
    - `ocr`: 1 - word error rate, at least 0, without regard to case and end punctuation;
    - `text`: 1 for the same words, else the mean F1 of ROUGE-1, -2 and -L with stemming.

    `kind` None infers it from the options and the reference. A response without an answer is a wrong answer:
    0, and the detail says why. Abstains where the reference is missing or is none of that kind. The reference
    may stand in `<answer>` tags.

    >>> accuracy("<think>red</think><answer>(b)</answer>", answer="B").value
    1.0
    >>> accuracy("<think>five</think><answer>5.0 cups</answer>", answer="<answer>5</answer>", kind="number").value
    1.0
    >>> accuracy("<think>so it is B", answer="B")
    Score(value=0.0, status='ok', detail='no answer (unclosed_think)')
    """
    trace = Trace.parse(response) if isinstance(response, str) else response
    gold = _TAGS.sub("", answer or "").strip()
    if not gold:
        return Score.abstain("no reference answer")
    options = normalise_options(options)
    kind = kind or infer_kind(gold, options)
    reference = _READERS[kind](gold, options)
    if reference is None:
        return Score.abstain(f"the reference {_short(gold)} is no {kind} answer")
    if not trace.answer:
        return Score.ok(0.0, f"no answer ({trace.state})")
    given = _READERS[kind](trace.answer, options)
    if given is None:
        return Score.ok(0.0, f"{_short(trace.answer)} is no {kind} answer; the reference is {_short(gold)}")
    value = _COMPARISONS[kind](given, reference)
    return Score.ok(value, f"{kind}: {_shown(given)} against {_shown(reference)}")


def word_error_rate(given: str, reference: str) -> float:
    """Insertions, deletions and substitutions of words per word of the reference.

    >>> word_error_rate("Scott", "scott room."), word_error_rate("exit door", "EXIT")
    (0.5, 1.0)
    """
    given_words, reference_words = _plain_words(given), _plain_words(reference)
    return Levenshtein.distance(given_words, reference_words) / max(1, len(reference_words))


def rouge_f1(given: str, reference: str) -> float:
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L with Porter stemming, by the rouge-score package.

    Scripts that its tokeniser drops are compared word by word, Chinese, Japanese and Korean character by
    character.

    >>> round(rouge_f1("A woman is swimming.", "A man is walking his dog in the park."), 6)
    0.205128
    """
    scores = _rouge_scorer().score(reference, given)
    return float(sum(score.fmeasure for score in scores.values()) / len(scores))


def _read_number(text: str, _options: tuple[str, ...]) -> Fraction | None:
    return read_number(text)


def _read_text(text: str, _options: tuple[str, ...]) -> str:
    return text.strip()


def _equal(given: Any, reference: Any) -> float:
    return float(given == reference)


def _relative(given: Fraction, reference: Fraction) -> float:
    if reference == 0:
        return float(given == 0)
    return float(max(Fraction(0), 1 - abs(given - reference) / abs(reference)))


def _words_read(given: str, reference: str) -> float:
    if normalise_text(given) == normalise_text(reference):
        return 1.0
    return max(0.0, 1.0 - word_error_rate(given, reference))


def _words_said(given: str, reference: str) -> float:
    return 1.0 if normalise_text(given) == normalise_text(reference) else min(1.0, rouge_f1(given, reference))


_READERS: dict[Kind, Callable[[str, tuple[str, ...]], Any]] = {
    "choice": letter_of,
    "number": _read_number,
    "regression": _read_number,
    "ocr": _read_text,
    "text": _read_text,
}
_COMPARISONS: dict[Kind, Callable[[Any, Any], float]] = {
    "choice": _equal,
    "number": _equal,
    "regression": _relative,
    "ocr": _words_read,
    "text": _words_said,
}
_TAGS = re.compile(r"</?answer>", re.IGNORECASE)
_EDGES = re.compile(r"^[^\w$€£%+#@-]+|[^\w$€£%+#@]+$")
_CHARACTER_SCRIPT = r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
_WORD_OR_CHARACTER = re.compile(rf"{_CHARACTER_SCRIPT}|(?:(?!{_CHARACTER_SCRIPT})\S)+")


def _plain_words(text: str) -> list[str]:
    words = (_EDGES.sub("", word) or word for word in text.casefold().split())
    return list(words)


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:37]}...")


def _shown(value: Any) -> str:
    return canonical_number(value) if isinstance(value, Fraction) else _short(str(value))


@lru_cache(maxsize=1)
def _rouge_scorer() -> Any:
    from rouge_score.rouge_scorer import RougeScorer
    from rouge_score.tokenizers import DefaultTokenizer

    latin = DefaultTokenizer(use_stemmer=True)

    class EveryScript:
        """The package's tokens where its letters suffice."""

        def tokenize(self, text: str) -> list[str]:
            if all(char <= "\u024f" or not char.isalpha() for char in text):
                tokens: list[str] = latin.tokenize(text)
                return tokens
            return _WORD_OR_CHARACTER.findall(normalise_text(text))

    return RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=EveryScript())
