"""Chat messages as text: a prompt's last question, and a response with its reasoning blocks."""

from collections.abc import Mapping
from typing import Any

from videor2.data.logs.values import BadRow, with_think


def prompt_text(prompt: Any) -> str:
    """The text that a model was asked: a string, or what the last user message says.

    >>> prompt_text([{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": "What is it?"}]}])
    'What is it?'
    """
    if isinstance(prompt, str):
        return prompt
    if not isinstance(prompt, (list, tuple)):
        return ""
    said = [m for m in prompt if isinstance(m, Mapping) and m.get("role") == "user"]
    return content_text(said[-1].get("content")) if said else ""


def completion_text(completion: Any) -> str:
    """What the model said: a string, or the assistant's messages. Raises BadRow where there is none."""
    if isinstance(completion, str):
        return completion
    if isinstance(completion, (list, tuple)):
        said = [m for m in completion if isinstance(m, Mapping) and m.get("role", "assistant") == "assistant"]
        if said:
            return "\n".join(message_text(message) for message in said)
    raise BadRow(f"no response: a completion is a text or a list of messages, not {type(completion).__name__}")


def message_text(message: Mapping[str, Any]) -> str:
    """A message's text, reasoning that is kept apart put in front as a think block."""
    content = message.get("content")
    thinking = message.get("reasoning_content")
    if isinstance(content, (list, tuple)):
        blocks = [block for block in content if isinstance(block, Mapping) and block.get("type") == "reasoning"]
        thinking = "\n".join(filter(None, (_reasoning(block) for block in blocks))) or thinking
    return with_think(thinking, content_text(content))


def content_text(content: Any) -> str:
    """The text parts of a message's content; what is seen or reasoned is left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, (list, tuple)):
        return ""
    parts = [part if isinstance(part, str) else part.get("text") or "" for part in content if _is_text(part)]
    return "\n".join(filter(None, parts))


def _is_text(part: Any) -> bool:
    return isinstance(part, str) or (isinstance(part, Mapping) and part.get("type", "text") == "text")


def _reasoning(block: Mapping[str, Any]) -> str | None:
    """A reasoning block's words; of one that its provider encrypted, the summary."""
    text = block.get("summary") if block.get("redacted") else block.get("reasoning") or block.get("summary")
    return text if isinstance(text, str) else None
