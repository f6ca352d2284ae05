"""A language model as the judge, behind any OpenAI-compatible server.

The model is told the question, the options and the reasoning, never the right answer. The reasoning was written by a
policy that is paid for the verdict, so it is fenced as data (`fence`). A reply is read strictly; what cannot be read is
asked for once more and is an error after that, never a default (`questions`).
"""

import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar, runtime_checkable

from videor2.answers import Options, normalise_options
from videor2.errors import InputError
from videor2.judges.budget import Budget
from videor2.judges.cache import ReplyCache
from videor2.judges.chat import ChatModel
from videor2.judges.conclusion import AsyncJudge, Conclusion, Judge, Request
from videor2.judges.prompts import CONCLUSION
from videor2.judges.questions import Question, ask
from videor2.judges.rules import conclude
from videor2.sample import Kind

R = TypeVar("R")
T = TypeVar("T")


@runtime_checkable
class Asks(Protocol):
    """A judge that can be asked more than the conclusion: the questions of `prompts`."""

    async def ask(self, question: Question[R, T], request: R) -> T:
        """The reply to a question about a reasoning, or what stands for its failure."""
        ...


class LLMJudge:
    """The questions about a reasoning, answered by a model: an `AsyncJudge` for its conclusion, and `ask` for all.

    Temperature 0 and a fixed seed: as far as the server goes along, the same reasoning gets the same verdict.
    """

    def __init__(self, model: ChatModel) -> None:
        self.model = model

    def __repr__(self) -> str:
        return repr(self.model)

    async def __call__(
        self,
        think: str,
        *,
        question: str | None = None,
        options: Options = (),
        answer_kind: Kind | None = None,
    ) -> Conclusion:
        """The conclusion of `think`; `how` is "judge", "undetermined" or, with the reason, "error"."""
        return await self.ask(CONCLUSION, Request(think, question, normalise_options(options), answer_kind))

    async def ask(self, question: Question[R, T], request: R) -> T:
        """The model's reply to a question, or what stands for its failure."""
        return await ask(self.model, question, request)


class Cascade:
    """One judge first, and a model for what it leaves undetermined: an `AsyncJudge`.

    What the first judge knows nothing of, all but conclusions, is asked of the model alone.
    """

    def __init__(self, first: Judge, then: LLMJudge) -> None:
        self.first = first
        self.then = then

    def __repr__(self) -> str:
        return f"{'rules' if self.first is conclude else repr(self.first)} then {self.then!r}"

    async def __call__(
        self,
        think: str,
        *,
        question: str | None = None,
        options: Options = (),
        answer_kind: Kind | None = None,
    ) -> Conclusion:
        """The first judge's conclusion where it has one."""
        found = self.first(think, question=question, options=options, answer_kind=answer_kind)
        if found.how != "undetermined":
            return found
        return await self.then(think, question=question, options=options, answer_kind=answer_kind)

    async def ask(self, question: Question[R, T], request: R) -> T:
        """The model's reply to a question, or what stands for its failure."""
        return await self.then.ask(question, request)


def parse_judge(
    text: str,
    *,
    cache: ReplyCache | None = None,
    budget: Budget | None = None,
    timeout_s: float = 30.0,
    retries: int = 3,
    max_tokens: int = 2048,
    seed: int = 0,
    extra: Mapping[str, Any] | None = None,
) -> Judge | LLMJudge | Cascade:
    """The judge that a setting names: `rules`, `openai:URL#NAME`, or `rules then openai:URL#NAME`, which asks the
    model for a conclusion only where the rules find none.

    The other arguments are those of `ChatModel`; the rules need none of them. Raises `InputError` on anything else.

    >>> parse_judge("rules then openai:http://localhost:8000#Qwen/Qwen3-8B")
    rules then openai:http://localhost:8000/v1#Qwen/Qwen3-8B
    """
    words = text.strip()
    if words == "rules":
        return conclude
    cascade = _CASCADE.match(words)
    named = _MODEL.fullmatch(words, cascade.end() if cascade else 0)
    if not named:
        raise InputError(f"no judge {text!r}; there are: rules, openai:URL#NAME, rules then openai:URL#NAME")
    model = ChatModel(
        named["url"],
        named["name"],
        timeout_s=timeout_s,
        retries=retries,
        max_tokens=max_tokens,
        seed=seed,
        extra=extra,
        cache=cache,
        budget=budget,
    )
    return Cascade(conclude, LLMJudge(model)) if cascade else LLMJudge(model)


def judged_by(judge: Judge | AsyncJudge, conclusion: Conclusion) -> str:
    """Who found a conclusion, as a record names it: "rules" or the model.

    >>> cascade = parse_judge("rules then openai:http://h:1#m")
    >>> judged_by(cascade, Conclusion(None, "undetermined")), judged_by(cascade, Conclusion(None, "elimination"))
    ('openai:http://h:1/v1#m', 'rules')
    """
    if isinstance(judge, Cascade):
        by_model = conclusion.how in ("judge", "undetermined", "error")
        return judged_by(judge.then if by_model else judge.first, conclusion)
    return "rules" if judge is conclude else repr(judge)


_CASCADE = re.compile(r"rules\s+then\s+(?=openai:)")
_MODEL = re.compile(r"openai:(?P<url>[^#\s]+)#(?P<name>\S+)")
