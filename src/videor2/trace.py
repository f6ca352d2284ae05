"""Split a response into what the model thought and what it answered.

    <think> reasoning </think> <answer> B </answer>

is what models are asked for. What they write has blocks that repeat, nest, never close, or were opened by the
chat template and so are missing here. `Trace.parse` reads all of these in one pass over the tags.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

TraceState = Literal["ok", "no_think", "no_answer", "unclosed_think", "repeated", "nested"]

# Models trained on other formats drift into <thinking> and <thought>. Repeats are bounded: an unbounded \s*
# on both sides of an optional slash is quadratic on a run of blanks.
_TAG = re.compile(r"<\s{0,8}(/?)\s{0,8}(?:(think|thinking|thought)|answer)\s{0,8}>", re.IGNORECASE)

# The one spelling that a format reward can ask for.
_CANONICAL = ("<think>", "</think>", "<answer>", "</answer>")


class _Tag(NamedTuple):
    kind: str
    """`think`, `/think`, `answer` or `/answer`."""
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A response, its reasoning and its answer.

    `think` and `answer` are stripped, None where there is nothing. Several think blocks are one text, joined by
    newlines; the last closed answer that is not empty wins. `well_formed` is the published format rule: one
    non-empty think block, then one non-empty answer block, only white space before, between and after.

    `state` names one thing. Where several hold, the first of these:

    - `unclosed_think`: the last think block never closes (the text was cut off). Its text still is reasoning. An
      answer block that ends the text closes it: the model forgot the tag, it was not cut off.
    - `no_think`: no reasoning, or an empty block.
    - `no_answer`: no closed answer outside the reasoning, or only empty ones. A half-written answer is none: `1` may
      have been on its way to `12`. Give back the stop string first where generation stopped at `</answer>`.
    - `nested`: a block inside a block, or a closing tag that closes nothing.
    - `repeated`: more than one block of a kind, or the answer before the reasoning.
    - `ok`: one closed think followed by one closed answer.

    Tags are read in any case and with inner white space; `<thinking>` and `<thought>`, which models drift into, are
    read as `<think>`. A text that has `</think>` but no opening tag began inside the reasoning, as with chat
    templates that open it: all before is think, and the state may be `ok`. None of these are well-formed. A bare
    `<answer>` named in the reasoning, with nothing in it, is a mention and no block.
    """

    raw: str
    think: str | None
    answer: str | None
    state: TraceState
    well_formed: bool

    @classmethod
    def parse(cls, text: str) -> "Trace":
        """Read a response; never raises, and takes time linear in its length.

        >>> trace = Trace.parse("<think>At 00:03 a ball appears.</think><answer>B</answer>")
        >>> trace.think, trace.answer, trace.state, trace.well_formed
        ('At 00:03 a ball appears.', 'B', 'ok', True)
        >>> Trace.parse("a ball, so B</think> <answer>B</answer>").state
        'ok'
        >>> Trace.parse("<think>is it A or").state
        'unclosed_think'
        """
        tags = _tags(text)
        reading = _Reading(text, tags)
        reading.run()
        think = "\n".join(piece for piece in map(str.strip, reading.think) if piece) or None
        settled = [answer for answer in map(str.strip, reading.answers) if answer]
        answer = settled[-1] if settled else None
        state = reading.state(think, answer)
        return cls(text, think, answer, state, state == "ok" and _well_formed(text, tags))

    def with_untagged_answer(self) -> "Trace":
        """The same, its answer read without tags where it has no answer block: what follows the reasoning, or the
        whole text where nothing is tagged. `state` stays, for the blocks are missing all the same.

        For logs of models that were never asked for tags. A text that was cut off inside a block has no answer.

        >>> Trace.parse("<think>It is red.</think> B. red").with_untagged_answer().answer
        'B. red'
        >>> Trace.parse("The answer is B.").with_untagged_answer().answer
        'The answer is B.'
        >>> [Trace.parse(text).with_untagged_answer().answer for text in ("<think>It is", "<answer>1")]
        [None, None]
        """
        if self.answer is not None or self.state == "unclosed_think":
            return self
        tags = _tags(self.raw)
        if tags and tags[-1].kind != "/think":
            return self
        return replace(self, answer=self.raw[tags[-1].end if tags else 0 :].strip() or None)


def _tags(text: str) -> list[_Tag]:
    return [_Tag(f"{m[1]}{'think' if m[2] else 'answer'}", m.start(), m.end()) for m in _TAG.finditer(text)]


class _Reading:
    """One pass over the tags of a text."""

    def __init__(self, text: str, tags: list[_Tag]) -> None:
        self.text = text
        self.tags = tags
        self.think: list[str] = []
        self.answers: list[str] = []
        self.order: list[str] = []
        self.nested = False
        self.unclosed = False
        self._inside: str | None = None
        self._since = 0
        self._aside = ""
        """What an open answer says before a block inside it."""

    def run(self) -> None:
        opened = self._opened_by_template()
        for i, tag in enumerate(self.tags[opened:], opened):
            if self._inside is None:
                self._between(tag)
            elif self._inside == "answer":
                self._in_answer(tag)
            elif tag.kind == "answer" and self._holds_answer(i):
                if self._ends_text(i + 1):
                    self._forgotten_close(i)
                    return
                self.nested = True
            else:
                self._in_think(tag)
        if self._inside == "think":
            self.unclosed = True
            self.think.append(self.text[self._since :])

    def _opened_by_template(self) -> int:
        """Read the reasoning of a text that begins inside it; the number of tags used."""
        for i, tag in enumerate(self.tags):
            if tag.kind == "think":
                break
            if tag.kind == "/think":
                self.think.append(self.text[: tag.begin])
                self.order.append("think")
                self._since = tag.end
                return i + 1
        return 0

    def _between(self, tag: _Tag) -> None:
        if tag.kind in ("think", "answer"):
            self._inside, self._aside = tag.kind, ""
        else:
            self.nested = True
            if tag.kind == "/think" and self.order[-1] == "think":  # <think>a <think>b</think> c</think>
                self.think.append(self.text[self._since : tag.begin])
        self._since = tag.end

    def _in_think(self, tag: _Tag) -> None:
        if tag.kind not in ("think", "/think"):
            return
        self.think.append(self.text[self._since : tag.begin])
        self._since = tag.end
        if tag.kind == "think":
            self.nested = True
        else:
            self.order.append("think")
            self._inside = None

    def _in_answer(self, tag: _Tag) -> None:
        said = self.text[self._since : tag.begin]
        self._since = tag.end
        if tag.kind == "/answer":
            self.answers.append(self._aside + said)
            self.order.append("answer")
            self._inside = None
            return
        # What a block inside the answer says is no part of it: `<answer><think>x</think>B</answer>` is B.
        self.nested = True
        if tag.kind == "think":
            self._aside += said
        elif tag.kind == "answer":
            self._aside = ""

    def _forgotten_close(self, i: int) -> None:
        """The answer block at tag i ends a text whose think block never closed."""
        self.think.append(self.text[self._since : self.tags[i].begin])
        self.answers.append(self.text[self.tags[i].end : self.tags[i + 1].begin])
        self.unclosed = True

    def _holds_answer(self, i: int) -> bool:
        """Does tag i open an answer block with something in it, or is it just named in a sentence?"""
        if i + 1 == len(self.tags) or self.tags[i + 1].kind != "/answer":
            return False
        return self.text[self.tags[i].end : self.tags[i + 1].begin].strip() != ""

    def _ends_text(self, i: int) -> bool:
        return i == len(self.tags) - 1 and not self.text[self.tags[i].end :].strip()

    def state(self, think: str | None, answer: str | None) -> TraceState:
        if self.unclosed:
            return "unclosed_think"
        if think is None:
            return "no_think"
        if answer is None:
            return "no_answer"
        if self.nested:
            return "nested"
        return "ok" if self.order == ["think", "answer"] else "repeated"


def _well_formed(text: str, tags: list[_Tag]) -> bool:
    """Are the four tags of an `ok` text spelled as asked, with only white space around the blocks?"""
    blocks = [tags[0], *tags[-3:]]
    if tuple(text[tag.begin : tag.end] for tag in blocks) != _CANONICAL:
        return False
    first, closed, opened, last = blocks
    around = text[: first.begin] + text[closed.end : opened.begin] + text[last.end :]
    return not around.strip()
