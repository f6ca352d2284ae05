"""How a question is put to a language model: asked, read strictly, asked for once more, and then an error."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any, Generic, TypeVar

from videor2.judges.cache import Completion
from videor2.judges.chat import ChatError, ChatModel, Message
from videor2.judges.fence import inert
from videor2.judges.replies import ReplyError

R = TypeVar("R")
T = TypeVar("T")

QUOTED = 2000
"""Characters of an unreadable reply that the judge is shown again."""


@dataclass(frozen=True, slots=True)
class Question(Generic[R, T]):
    """One kind of question about an R, whose reply is a T.

    `version` changes with every change of the wording: verdicts of other versions do not compare. `form` says in
    words what the reply must look like, `read` raises `ReplyError` where it does not, `failed` is the T that
    carries the reason of a failure.
    """

    name: str
    version: str
    messages: Callable[[R], list[Message]]
    schema: Callable[[R], Mapping[str, Any]]
    form: Callable[[R], str]
    read: Callable[[str, R], T]
    failed: Callable[[str], T]


async def ask(model: ChatModel, question: Question[R, T], request: R) -> T:
    """The model's reply to a question, or what stands for its failure. A reply that cannot be read is asked for
    once more, with the reason.
    """
    messages = question.messages(request)
    schema = question.schema(request)
    try:
        completion = await model.complete(messages, name=question.name, schema=schema)
        try:
            return _read(completion, question, request)
        except ReplyError as e:
            messages = [*messages, *_repair(completion, e, question.form(request))]
        return _read(await model.complete(messages, name=question.name, schema=schema), question, request)
    except ReplyError as e:
        return question.failed(f"the judge's reply, asked for twice: {e}")
    except ChatError as e:
        return question.failed(str(e))


def _read(completion: Completion, question: Question[R, T], request: R) -> T:
    try:
        return question.read(completion.text, request)
    except ReplyError as e:
        if completion.cut:
            raise ReplyError(f"it was cut off: raise max_tokens ({e})") from e
        raise


def _repair(completion: Completion, error: ReplyError, form: str) -> list[Message]:
    """What is said to a judge whose reply could not be read. The reply may quote the policy: it is data too."""
    again = f"That could not be read: {error}. Reply again with one JSON object and nothing before or behind it. {form}"
    return [
        {"role": "assistant", "content": inert(completion.text[-QUOTED:])},
        {"role": "user", "content": inert(again)},
    ]


def context(question: str | None, options: tuple[str, ...]) -> list[str]:
    """The paragraphs of a prompt that say what a reasoning is about."""
    listed = "".join(f"{letter}. {inert(text)}\n" for letter, text in zip(ascii_uppercase, options, strict=False))
    parts = [
        f"Question: {inert(question)}" if question else "The question is not known.",
        f"Options:\n{listed}" if listed else "",
    ]
    return [part.strip() for part in parts if part]


def object_schema(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has exactly these properties."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
