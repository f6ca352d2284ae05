"""A question and its options out of a prompt's text, where a log keeps no more than the prompt.

Strict: the labels run A, B, C, ... (or 1, 2, ...) from the start, each where an option can begin. "T-shirt",
"e-bike" and the steps "(1) ...; (2) ..." of a question make no options.
"""

import re
from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=8192)
def split_options(text: str) -> tuple[str, tuple[str, ...]]:
    """The question before the options, and the options without labels; the whole text and () where it has none.

    >>> split_options("What is it?\\nA. a T-shirt\\nB. an e-bike\\nAnswer with the option's letter.")
    ('What is it?', ('a T-shirt', 'an e-bike'))
    >>> split_options("Which one? (a) The cup. (b) The plate. Please respond with either a or b.")
    ('Which one?', ('The cup.', 'The plate.'))
    >>> split_options("What is the colour of the T-shirt? A: it is red")
    ('What is the colour of the T-shirt? A: it is red', ())
    """
    run = _last_run(list(_LINE.finditer(text)))
    if run:
        ends = [label.start() for label in run[1:]] + [_line_end(text, run[-1].end())]
    else:
        run = _last_run(list(_INLINE.finditer(text)))
        if not run or not _may_open(text, run[0]):
            return text, ()
        last = _AFTER.search(text, run[-1].end(), _line_end(text, run[-1].end()))
        ends = [m.start() for m in run[1:]] + [last.start() if last else _line_end(text, run[-1].end())]
    options = tuple(
        " ".join(text[label.end() : end].split()).strip(" ;,*") for label, end in zip(run, ends, strict=True)
    )
    if not all(options):
        return text, ()
    question = text[: run[0].start()].strip()
    if question.endswith(":"):
        question = _HEADING.sub("", question).strip()
    return _OPENING.sub("", question or text[ends[-1] :].strip(), count=1), options


@lru_cache(maxsize=8192)
def question_of(prompt: str) -> str:
    """The question of a prompt: without chat markup, and without what asks for a form of answer.

    Options stay in the text, for `split_options`.

    >>> question_of("<video>\\nHow many cups?\\nAnswer the question using a single word or phrase.")
    'How many cups?'
    """
    if "<" in prompt or "[" in prompt:
        turns = [m[1] or m[2] for m in _USER_TURN.finditer(prompt)]
        prompt = _MARKUP.sub("", turns[-1] if turns else prompt)
    lines = prompt.strip().split("\n")
    while len(lines) > 1 and (not lines[0].strip() or _PRE_PROMPT.match(lines[0])):
        lines = lines[1:]
    if "think" in prompt or "answer>" in prompt:
        tagged = next((i for i, line in enumerate(lines) if i and _ASKS_FOR_TAGS.search(line)), len(lines))
        lines = lines[:tagged]
    while len(lines) > 1 and (not lines[-1].strip() or _POST_PROMPT.match(lines[-1])):
        lines = lines[:-1]
    return _OPENING.sub("", "\n".join(lines), count=1).strip()


def option_label(text: str) -> tuple[int, str] | None:
    """Index and text of one labelled option, None where it has no label.

    >>> option_label("Caption B: a dog runs"), option_label("(c) left"), option_label("T-shirt")
    ((1, 'a dog runs'), (2, 'left'), None)
    """
    m = _LINE.match(text)
    return (_index(m), text[m.end() :].strip()) if m else None


_WORD = r"(?:sentence|caption|option|choice|statement|description|information|answer)"
_LINE = re.compile(
    rf"^[ \t]*+(?:[-*•][ \t]+)?\**(?:\(([A-Za-z])\)[.:]?|([A-Z])[.):]|([a-z])[.)]|"
    rf"(?i:{_WORD})[ \t]+([A-Za-z]|[1-9])[ \t]*[:.)])\**[ \t]*(?=\S)",
    re.MULTILINE,
)
_INLINE = re.compile(r"(?<!\S)(?:\(([A-Za-z])\)|([A-Z])[.):](?=\s))[ \t]*(?=\S)")
_AFTER = re.compile(
    r"\s(?=(?:Please|Answer (?:with|the|directly|by)|Respond (?:with|only)|Select|Choose|Think|Provide|Your answer|"
    r"The (?:best|correct) answer)\b)"
)
_HEADING = re.compile(r"(?:^|\s)(?:the\s+)?(?:options?|choices|candidates)(?:\s+are)?\s*:\s*$", re.IGNORECASE)
_OPENING = re.compile(r"^\s*(?:<(?:video|image)>\s*)*(?:question\s*:\s*)?", re.IGNORECASE)

_USER_TURN = re.compile(
    r"<\|im_start\|>user\n(.*?)<\|im_end\|>|<\|start_header_id\|>user<\|end_header_id\|>(.*?)<\|eot_id\|>", re.DOTALL
)
_MARKUP = re.compile(r"<\|[a-z_]+\|>|<(?:video|image)>|\[(?:video|image)\]")
_PRE_PROMPT = re.compile(
    r"\s*(?:These are (?:the )?frames of a video\b|Select the best answer to the following\b|"
    r"Carefully watch the video and pay attention\b|"
    r"You should watch and learn the video content\b.*?answer the following\b)"
)
_POST_PROMPT = re.compile(
    r"\s*(?:please\s+)?(?:(?:answer|respond|reply|think|provide|output|give|select|choose|first|do not|format|wrap|"
    r"return|write|ignore|only|let'?s|use)\b.*\b(?:answer|option|letter|word|phrase|reasoning|thinking|number|step|"
    r"question|sentence)|(?:the (?:best|correct) )?(?:answer|option) is:|(?:your )?(?:final )?answer:)",
    re.IGNORECASE,
)
_ASKS_FOR_TAGS = re.compile(r"</?(?:think|answer)>|\bthink(?:ing)? tags\b|as if you were a human pondering")


def _index(m: re.Match[str]) -> int:
    label = m[m.lastindex or 0]
    return int(label) - 1 if label.isdecimal() else ord(label.upper()) - ord("A")


def _style(m: re.Match[str]) -> tuple[int | None, bool]:
    """Labels of one list look alike: (a) (b), never (a) B."""
    return m.lastindex, m[m.lastindex or 0].islower()


def _last_run(labels: Iterable[re.Match[str]]) -> list[re.Match[str]]:
    """The last list of labels that runs from the first one on, in one style, with two or more."""
    best: list[re.Match[str]] = []
    run: list[re.Match[str]] = []
    for label in labels:
        index = _index(label)
        if index == 0:
            run = [label]
        elif run and index == len(run) and _style(label) == _style(run[0]):
            run.append(label)
            best = run
    return best


def _may_open(text: str, label: re.Match[str]) -> bool:
    """Options on one line begin after a question or a colon; a bracketed letter may stand anywhere."""
    before = text[: label.start()].rstrip(" \t")
    return bool(label[1]) or not before or before[-1] in "?:\n"


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end
