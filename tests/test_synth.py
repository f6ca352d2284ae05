import json
from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from videor2.data.examples import read_examples
from videor2.errors import InputError
from videor2.synth import render
from videor2.synth.build import SynthConfig, build
from videor2.synth.questions import FAMILIES, SCENES, ask
from videor2.synth.reasoning import DISTILLED, draw_manner, respond
from videor2.synth.world import DURATION_S, World, draw_world
from videor2.video.read import read


def worlds(count: int, split: str = "train", seed: int = 0) -> list[World]:
    rng = np.random.default_rng(seed)
    return [draw_world(rng, split=split) for _ in range(count)]


def test_no_two_events_share_a_second_and_all_lie_inside_the_clip() -> None:
    for world in worlds(200):
        times = [event.start_s for event in world.events]
        assert times == sorted(set(times))
        assert times[0] > 0
        assert times[-1] < DURATION_S


def test_a_name_means_one_thing_in_a_clip() -> None:
    for world in worlds(200):
        born = [h.after.name for h in world.happenings if h.action in {"appears", "turns"}]
        assert len(born) == len(set(born))


def test_train_and_test_share_no_timeline_whatever_the_seed() -> None:
    train = set(chain.from_iterable(worlds(300, "train", seed) for seed in range(3)))
    test = set(chain.from_iterable(worlds(300, "test", seed) for seed in range(3)))
    assert not train & test


def test_every_action_and_every_family_occurs() -> None:
    rng = np.random.default_rng(0)
    drawn = worlds(300)
    assert {h.action for w in drawn for h in w.happenings} == {"appears", "vanishes", "moves", "turns"}
    asked = Counter(f for w in drawn for f in FAMILIES if ask(w, f, rng, split="train") is not None)
    assert min(asked[family] for family in FAMILIES) > 100


def test_options_are_four_different_ones_with_the_answer_among_them() -> None:
    rng = np.random.default_rng(0)
    for world in worlds(100):
        for family in FAMILIES:
            question = ask(world, family, rng, split="test")
            if question and question.options:
                assert len(set(question.options)) == 4
                assert question.options.count(question.answer) == 1
                assert question.gold in "ABCD"


def test_letters_of_right_answers_are_balanced() -> None:
    rng = np.random.default_rng(0)
    golds = Counter(q.gold for w in worlds(600) if (q := ask(w, "state", rng, split="train")) is not None)
    assert max(golds.values()) / sum(golds.values()) < 0.32


@pytest.mark.parametrize(("split", "low", "high"), [("train", 0.85, 0.95), ("test", 0.18, 0.32)])
def test_the_scene_tells_the_answer_in_training_only(split: str, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    told = []
    for world in worlds(500, split):
        question = ask(world, "prior", rng, split=split)
        scene = next(colour for colour, name in SCENES.items() if name in question.text)
        told.append(question.answer.startswith(f"the {scene} "))
    assert low < np.mean(told) < high


def test_careful_reasoning_cites_each_event_with_its_time_and_answers_right() -> None:
    rng = np.random.default_rng(0)
    for world in worlds(50):
        question = ask(world, "when", rng, split="train")
        response = respond(world, question, "careful", rng)
        for h in world.happenings:
            assert f"At 00:{h.at_s:02d} {h.sentence}." in response
        assert response.endswith(f"<answer>{question.gold}</answer>")


def test_hasty_times_are_spread_evenly_from_the_start() -> None:
    rng = np.random.default_rng(0)
    world = worlds(1)[0]
    response = respond(world, ask(world, "count", rng, split="train"), "hasty", rng)
    assert "At 00:00 " in response
    assert world.happenings[0].sentence in response


def test_most_of_the_distilled_mix_is_flawed_in_every_family() -> None:
    for family in FAMILIES:
        assert sum(DISTILLED[family].values()) == pytest.approx(1)
        assert DISTILLED[family]["careful"] < 0.5
    rng = np.random.default_rng(0)
    drawn = Counter(draw_manner("order", DISTILLED, rng) for _ in range(500))
    assert drawn.most_common(1)[0][0] == "contradicting"


def test_frames_show_an_event_from_its_second_on() -> None:
    world = worlds(1)[0]
    frames = np.stack(list(render.frames(world, np.random.default_rng(1))))
    assert frames.shape == (DURATION_S * render.FPS, render.SIZE, render.SIZE, 3)
    first = world.happenings[0].at_s * render.FPS
    ground = frames[0, 0, 0]
    assert (frames[first - 1] == ground).all()
    assert (frames[first] != ground).any()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    config = SynthConfig("train", 2, seed=3, mix="distilled")
    once, again = (build(config, tmp_path / name) for name in ("a", "b"))
    assert once.read_bytes() == again.read_bytes()
    clips = sorted((tmp_path / "a" / "train").iterdir())
    assert len(clips) == 2
    for clip in clips:
        assert clip.read_bytes() == (tmp_path / "b" / "train" / clip.name).read_bytes()
    other = build(SynthConfig("train", 2, seed=4, mix="distilled"), tmp_path / "c")
    assert other.read_bytes() != once.read_bytes()


def test_written_clips_are_videos_with_the_events_in_them(tmp_path: Path) -> None:
    path = build(SynthConfig("test", 1, seed=0, questions=2), tmp_path)
    examples = read_examples(path)
    assert len(examples) == 2
    clip = read(examples[0].sample.video, fps=2)
    assert len(clip.frames) == DURATION_S * 2
    before = int(examples[0].sample.events[0].start_s) * 2 - 1
    moved = np.abs(clip.frames[before + 1].astype(int) - clip.frames[before]).max()
    assert moved > 50


def test_events_in_words_need_no_clip(tmp_path: Path) -> None:
    path = build(SynthConfig("train", 3, words=True, mix="careful"), tmp_path, name="words")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert all("video" not in row and row["question"].startswith("Seen: ") for row in rows)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("wrong", [{"clips": 0}, {"clips": 1, "questions": 7}, {"clips": 1, "mix": "best"}])
def test_a_wrong_setting_is_told(wrong: dict) -> None:
    with pytest.raises(InputError, match=next(key for key in wrong if key != "clips") if len(wrong) > 1 else "clips"):
        SynthConfig("train", **wrong)
