import json
from pathlib import Path

import pytest

from videor2.ask import ask
from videor2.data import read_examples
from videor2.report.text import answered
from videor2.timeline import claims
from videor2.trace import Trace
from videor2.video import VideoError


@pytest.fixture(scope="module")
def clip(world: Path) -> str:
    return read_examples(world)[0].sample.video


def test_the_tiny_model_thinks_with_timestamps_and_answers(clip: str) -> None:
    options = ("the red circle", "the blue square", "the white triangle", "the green circle")
    reply = ask(Path(clip), "Which object appears first?", options=options)
    assert reply.state == "ok"
    assert reply.answer in set("ABCD")
    assert reply.think == Trace.parse(reply.response).think
    assert reply.claims == tuple(claims(reply.think))
    assert reply.claims
    assert all(0 <= claim.start_s <= 10 for claim in reply.claims)


def test_the_reply_is_shown_with_its_claims_and_whether_it_agrees(clip: str) -> None:
    reply = ask(Path(clip), "How many objects appear?")
    shown = answered(reply)
    assert reply.think in shown
    assert f"Answer      {reply.answer}" in shown
    assert "00:0" in shown
    assert "Reasoning and answer " in shown


def test_any_video_can_be_asked_about(shared_data: Path) -> None:
    reply = ask(shared_data / "videos" / "mdn_flower.webm", "What appears first?")
    assert reply.response


def test_the_command_prints_json_for_machines(videor2, clip: str) -> None:
    done = videor2("ask", clip, "How many objects appear?", "--json")
    assert done.returncode == 0, done.stderr
    assert {"response", "think", "answer", "claims", "conclusion", "consistent"} <= json.loads(done.stdout).keys()


def test_a_file_that_is_no_video_is_told(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("these are notes, and no video at all")
    with pytest.raises(VideoError, match=r"notes\.mp4"):
        ask(path, "What happens?")
