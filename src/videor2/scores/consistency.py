"""Think-answer consistency: does the answer say what the reasoning concludes?

TAC of arXiv 2511.23478, defined by the answer's value and not by its rightness: a reasoning that concludes B
before an answer C is inconsistent, though both may be wrong. `tac_paper` is the published count, to compare
with published tables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rapidfuzz import fuzz

from videor2.answers import FUZZY_RATIO, Options, Value, infer_kind, normalise_options, normalise_text, read_value
from videor2.judges import Conclusion, Judge, Request, conclude
from videor2.judges.cues import sentences
from videor2.judges.matching import stems
from videor2.numerals import find_numbers
from videor2.sample import Kind
from videor2.scores.score import Score
from videor2.scores.stats import Interval, bootstrap_mean
from videor2.trace import Trace

FEW_WORDS = 4
"""Texts shorter than this retell by standing in the last words, longer ones by their words."""
CLOSING_SENTENCES = 3
SHORT_LENGTH, FORMULA_LENGTH, FUZZY_LENGTH = 4, 6, 8
"""Characters of an answer that must stand in the last words, anywhere, or all but a slip in the last words."""
RETOLD_RATIO = 90.0
RETOLD_SHARE = 0.65
"""Share of a long answer's words that the reasoning must have."""
NO_REFERENCE = Score.abstain("no reference answer")

MAX_DIFFERENT_WORDS = 6
"""Free texts longer than this are never called different: they may say the same in other words."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """What the reasoning concludes, what the response answers, and whether they are the same.

    `score` is 1 for the same value, 0 for a different one; it abstains where either is undetermined, and is
    an error where the judge failed.
    """

    conclusion: Conclusion
    answer: Value | None
    score: Score

    def row(self) -> dict[str, str | float | None]:
        """The flat form that `videor2 score consistency` writes."""
        return {
            "conclusion": str(self.conclusion.value) if self.conclusion.value else None,
            "answer": str(self.answer) if self.answer else None,
            "value": self.score.value,
            "status": self.score.status,
            "detail": self.score.detail,
            "evidence": self.conclusion.evidence,
        }


def consistency(
    response: Trace | str,
    *,
    question: str | None = None,
    options: Options = (),
    kind: Kind | None = None,
    judge: Judge = conclude,
) -> Consistency:
    """Compare the conclusion that `judge` reads from the reasoning with the answer.

    `kind` None infers it from the options and the answer. Several think blocks are one reasoning; an
    `<answer>` inside the reasoning is no answer. A reasoning that leaves several options open is different
    from an answer outside of them.

    >>> response = "<think>The ball is red, so the answer is B.</think><answer>C</answer>"
    >>> consistency(response, options=["blue", "red", "green"]).score
    Score(value=0.0, status='ok', detail='concludes B, answers C')
    >>> consistency("<think>It cannot be determined.</think><answer>C</answer>").score.status
    'abstain'
    """
    unjudged = Unjudged.read(response, question=question, options=options, kind=kind)
    return unjudged.judged(unjudged.request.put_to(judge) if unjudged.request else None)


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A response whose answer is read and whose conclusion a judge has yet to tell: `request` is what to ask.

    There is nothing to ask where there is no reasoning. For judges that are asked many at once; else
    `consistency` does it all.
    """

    request: Request | None
    given: str
    answer: Value | None

    @classmethod
    def read(
        cls,
        response: Trace | str,
        *,
        question: str | None = None,
        options: Options = (),
        kind: Kind | None = None,
    ) -> "Unjudged":
        """Read a response; the arguments are those of `consistency`."""
        trace = Trace.parse(response) if isinstance(response, str) else response
        texts = normalise_options(options)
        given = trace.answer or ""
        kind = kind or infer_kind(given, texts)
        answer = read_value(given, kind=kind, options=texts) if given else None
        request = Request(trace.think, question, texts, kind if given else None) if trace.think else None
        return cls(request, given, answer)

    def judged(self, conclusion: Conclusion | None) -> Consistency:
        """The comparison, once the conclusion is known; None where there was nothing to ask.

        >>> unjudged = Unjudged.read("<think>It is red.</think><answer>C</answer>")
        >>> unjudged.judged(Conclusion(Value("letter", "C"), "judge")).score.value
        1.0
        """
        if conclusion is None:
            return Consistency(Conclusion(None, "undetermined"), self.answer, Score.abstain("no reasoning"))
        score = _compared(conclusion, self.answer, self.given)
        nothing_said = score.status == "abstain" and conclusion.value is None and not conclusion.candidates
        free_text = self.request and self.answer and self.answer.kind == "text"
        if nothing_said and free_text and self.request and retells(self.given, self.request.think):
            score = Score.ok(1.0, "the answer retells the reasoning")
        return Consistency(conclusion, self.answer, score)


def retells(answer: str, think: str) -> bool:
    """Whether a free text says again what the reasoning says, where that names no conclusion of its own.

    A short answer must stand in the last words as it is, or all but for a slip of the pen; a long one must find
    most of its words in the reasoning, and all of its numbers. Never the other way: other words may say the same.

    >>> retells("a man ties his shoes", "At 00:03 a man ties his shoes. Then he runs.")
    True
    >>> retells("two cats sleep on the warm roof of a shed", "Three cats sleep on the warm roof of a shed.")
    False
    """
    words, said = normalise_text(answer), normalise_text(think)
    compact = "".join(words.split())  # formulas are spaced at will
    if len(compact) >= FORMULA_LENGTH and not compact.isalpha() and compact in "".join(said.split()):
        return True
    if len(words.split()) < FEW_WORDS:
        closing = normalise_text(" ".join(s.text for s in list(sentences(think))[-CLOSING_SENTENCES:]))
        whole = f" {words} " in f" {closing} " and len(words) >= SHORT_LENGTH
        return whole or (len(words) >= FUZZY_LENGTH and fuzz.partial_ratio(words, closing) >= RETOLD_RATIO)
    ours = stems(answer)
    told = len(ours & stems(think)) >= RETOLD_SHARE * len(ours)
    return told and {n.value for n in find_numbers(answer)} <= {n.value for n in find_numbers(think)}


def gate(result: Consistency) -> Score:
    """1 where reasoning and answer agree, else 0, also where nothing is determined; an error stays an error.

    An error must drop the gated reward of the whole group: an outage is nobody's merit and nobody's fault.

    >>> gate(consistency("<think>So the answer is 3.</think><answer>3</answer>")).value
    1.0
    >>> gate(consistency("<think>Hard to say.</think><answer>3</answer>")).value
    0.0
    """
    if result.score.status == "error":
        return result.score
    return Score.ok(result.score.value or 0.0, result.score.detail)


@dataclass(frozen=True, slots=True)
class Tac:
    """Think-answer consistency over many responses.

    `interval` is the mean over the determined ones with its bootstrap interval, None where none is; `strict`
    counts what is undetermined as inconsistent. Failed judgements (`errors`) are in `n` and in the coverage's
    denominator alone.
    """

    interval: Interval | None
    strict: float | None
    n: int
    determined: int
    errors: int

    @property
    def coverage(self) -> float:
        """Share of responses where both conclusion and answer are determined."""
        return self.determined / self.n if self.n else 0.0


def tac(results: Iterable[Consistency], *, seed: int = 0, resamples: int = 2000, level: float = 0.95) -> Tac:
    """Share of responses whose reasoning concludes what they answer, over those where both are determined.

    >>> think = "<think>So the answer is 3.</think>"
    >>> t = tac(consistency(r) for r in (think + "<answer>3</answer>", think + "<answer>4</answer>", think))
    >>> t.interval.mean, round(t.strict, 3), round(t.coverage, 3)
    (0.5, 0.333, 0.667)
    """
    scores = [result.score for result in results]
    values = [score.value for score in scores if score.value is not None]
    errors = sum(score.status == "error" for score in scores)
    judged = len(scores) - errors
    return Tac(
        interval=bootstrap_mean(values, seed=seed, resamples=resamples, level=level) if values else None,
        strict=sum(values) / judged if judged else None,
        n=len(scores),
        determined=len(values),
        errors=errors,
    )


@dataclass(frozen=True, slots=True)
class PaperTac:
    """The published count: how often conclusion and answer are both right or both wrong. Shares of `n`."""

    n: int
    tac: float
    both_right: float
    think_accuracy: float
    answer_accuracy: float
    answer_right_think_wrong: int
    answer_wrong_think_right: int


def tac_paper(results: Iterable[Consistency], golds: Sequence[Value]) -> PaperTac:
    """The statistic of the published evaluation scripts (`answer_to_thinking_correlation`), only to compare
    with them.

    What is undetermined counts as wrong, and B before C counts as consistent where A is right. With many
    options and low accuracy it is high for a model that thinks and answers at random. Raises ValueError for
    no rows or unequal lengths.
    """
    rows = [_rightness(result, gold) for result, gold in zip(results, golds, strict=True)]
    if not rows:
        raise ValueError("tac_paper needs at least one row")
    n = len(rows)
    return PaperTac(
        n=n,
        tac=sum(think == answer for think, answer in rows) / n,
        both_right=sum(think and answer for think, answer in rows) / n,
        think_accuracy=sum(think for think, _ in rows) / n,
        answer_accuracy=sum(answer for _, answer in rows) / n,
        answer_right_think_wrong=sum(answer and not think for think, answer in rows),
        answer_wrong_think_right=sum(think and not answer for think, answer in rows),
    )


def right_alike(found: Consistency, right: str | None, kind: Kind, options: Sequence[str]) -> Score:
    """One response's share in `tac_paper`: 1 where conclusion and answer are both right or both wrong.

    What is undetermined counts as wrong there. Abstains where the right answer is not known; an error of the judge
    stays one.
    """
    if right is None:
        return NO_REFERENCE
    if found.score.status == "error":
        return found.score
    think, answer = _rightness(found, read_value(right, kind=kind, options=options))
    said = [f"{name} {'right' if is_right else 'wrong'}" for name, is_right in (("think", think), ("answer", answer))]
    return Score.ok(float(think == answer), ", ".join(said))


def _rightness(found: Consistency, gold: Value | None) -> tuple[bool, bool]:
    """Whether the conclusion is the reference's value, and whether the answer is."""
    return found.conclusion.value == gold, found.answer == gold


def _compared(conclusion: Conclusion, answer: Value | None, given: str) -> Score:
    if conclusion.how == "error":
        return Score.error(conclusion.evidence or "the judge failed")
    if answer is None:
        return Score.abstain(f"the answer {given[:40]!r} has no value" if given else "no answer")
    if conclusion.value is None:
        left = " or ".join(conclusion.candidates)
        if left and str(answer) not in conclusion.candidates:
            return Score.ok(0.0, f"concludes {left}, answers {answer}")
        return Score.abstain(f"the reasoning leaves {left} open" if left else "the reasoning concludes nothing")
    agree = _same(conclusion.value, answer)
    if agree is None:
        return Score.abstain(f"concludes {conclusion.value}, answers {answer}: the texts agree in part")
    return Score.ok(float(agree), f"concludes {conclusion.value}, answers {answer}")


def _same(conclusion: Value, answer: Value) -> bool | None:
    """Whether two values are the same; for free texts None where that cannot be told from the words."""
    if conclusion == answer:
        return True
    if "letter" in (conclusion.kind, answer.kind) or conclusion.kind == answer.kind == "number":
        return False if conclusion.kind == answer.kind else None
    a, b = conclusion.canonical.split(), answer.canonical.split()
    if {conclusion.canonical, answer.canonical} == {"yes", "no"}:
        return False
    if f" {' '.join(a)} " in f" {' '.join(b)} " or f" {' '.join(b)} " in f" {' '.join(a)} ":
        return True
    if fuzz.ratio(conclusion.canonical, answer.canonical) >= FUZZY_RATIO:
        return True
    apart = max(len(a), len(b)) <= MAX_DIFFERENT_WORDS and set(a).isdisjoint(b)
    return False if apart else None
