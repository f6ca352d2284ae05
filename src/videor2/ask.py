"""One question about one video: the response, its claims, and whether reasoning and answer agree."""

from dataclasses import dataclass
from pathlib import Path

from videor2.models.generate import generate
from videor2.models.load import TINY_VIDEO, load_model
from videor2.models.prompt import THINK_INSTRUCTION
from videor2.sample import Sample
from videor2.scores.consistency import consistency
from videor2.timeline import Claim, claims
from videor2.trace import Trace
from videor2.video.store import ClipStore, VideoConfig


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model said about a video. `consistent` is None where the reasoning concludes nothing."""

    response: str
    think: str | None
    answer: str | None
    state: str
    claims: tuple[Claim, ...]
    conclusion: str | None
    consistent: bool | None


def ask(
    video: Path,
    question: str,
    *,
    options: tuple[str, ...] = (),
    model: str = "tiny",
    subtitles: Path | None = None,
    video_config: VideoConfig | None = None,
    max_new_tokens: int = 1024,
) -> Reply:
    """Ask a model (`tiny`, a folder or a hub id) about a video; raises VideoError, InputError."""
    is_tiny = model == "tiny"
    clips = ClipStore(video_config or (TINY_VIDEO if is_tiny else VideoConfig()))
    sample = Sample(
        id=video.name,
        question=question,
        options=options,
        kind="choice" if options else "text",
        video=str(video),
        subtitles=str(subtitles) if subtitles else None,
    )
    clips.get(str(video), sample.subtitles)  # a bad file is told before minutes of loading a model
    loaded, processor = load_model(model)
    [response] = generate(
        loaded,
        processor,
        [sample],
        clips,
        instruction="" if is_tiny else THINK_INSTRUCTION,
        max_new_tokens=min(max_new_tokens, 128) if is_tiny else max_new_tokens,
    )
    trace = Trace.parse(response)
    found = consistency(response, question=question, options=options)
    return Reply(
        response=response,
        think=trace.think,
        answer=trace.answer,
        state=trace.state,
        claims=tuple(claims(trace.think or "")),
        conclusion=str(found.conclusion.value) if found.conclusion.value else None,
        consistent=None if found.score.value is None else found.score.value == 1.0,
    )
