"""Format: is the response one think block followed by one answer block, and nothing else?"""

from videor2.scores.score import Score
from videor2.trace import Trace

_FAULTS = {
    "no_think": "no reasoning in a think block",
    "no_answer": "no answer in a closed answer block",
    "unclosed_think": "the think block never closes",
    "repeated": "more than one block of a kind, or answer before think",
    "nested": "a block inside a block, or a stray closing tag",
    "ok": "text outside the blocks, or tags not spelled <think> and <answer>",
}


def format_score(response: Trace | str) -> Score:
    """1 for exactly one non-empty think block, then one non-empty answer block, with only white space around;
    else 0.

    The format reward of arXiv 2511.23478 as its text states it; the published pattern also let several
    blocks, nested tags and empty blocks pass. The detail names the fault. Never abstains.

    >>> format_score("<think>It is red.</think><answer>B</answer>").value
    1.0
    >>> format_score("<think>It is red.</think> B")
    Score(value=0.0, status='ok', detail='no answer in a closed answer block')
    """
    trace = Trace.parse(response) if isinstance(response, str) else response
    if trace.well_formed:
        return Score.ok(1.0, "well-formed")
    return Score.ok(0.0, _FAULTS[trace.state])
