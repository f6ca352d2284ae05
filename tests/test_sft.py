from pathlib import Path

import pytest
import torch

from videor2.data import DataError, Example, read_examples, write_examples
from videor2.models.load import load_model
from videor2.sample import Sample
from videor2.train.sft import SFTCollator, SFTSettings, Stage, train
from videor2.video.store import ClipStore, VideoConfig

VIDEO = VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False)


def settings(out: Path, data: Path, **fields) -> SFTSettings:
    stage = Stage(name="look", data=[data], batch_size=4, learning_rate=2e-3, max_steps=8, warmup_ratio=0.0)
    return SFTSettings(out=out, stages=[stage], video=VIDEO, logging_steps=1, **fields)


def losses(out: Path) -> list[float]:
    import json

    states = sorted(out.glob("stages/look/checkpoint-*/trainer_state.json"))
    return [e["loss"] for e in json.loads(states[-1].read_text())["log_history"] if "loss" in e]


def test_the_loss_is_on_the_response_and_its_end_only(untrained: Path, world: Path) -> None:
    _, processor = load_model(str(untrained))
    examples = read_examples(world)[:3]
    batch = SFTCollator(processor, examples, ClipStore(VIDEO))([{"index": i} for i in range(3)])
    for row, example in enumerate(examples):
        learned = batch["labels"][row][batch["labels"][row] != -100]
        assert processor.tokenizer.decode(learned) == f"{example.response}<|im_end|>"
    assert batch["input_ids"].shape == batch["labels"].shape


def test_a_few_steps_of_the_shipped_recipe_make_the_loss_fall(tmp_path: Path, world: Path) -> None:
    train(settings(tmp_path / "run", world))
    seen = losses(tmp_path / "run")
    assert len(seen) == 8
    assert seen[-1] < 0.85 * seen[0]
    model, processor = load_model(str(tmp_path / "run"))
    assert processor.chat_template
    assert sum(p.numel() for p in model.parameters()) > 2e6


def test_fine_tuning_with_lora_changes_the_language_model_and_saves_it_merged(
    tmp_path: Path, untrained: Path, world: Path
) -> None:
    train(settings(tmp_path / "run", world, model=str(untrained), lora={"rank": 4, "alpha": 8}))
    before, after = (load_model(str(path))[0].state_dict() for path in (untrained, tmp_path / "run"))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("language_model" in name and "q_proj" in name for name in changed)
    assert not any("visual" in name or "embed" in name for name in changed)


def test_a_row_without_a_response_is_told_before_anything_is_loaded(tmp_path: Path) -> None:
    data = tmp_path / "rows.jsonl"
    write_examples(data, [Example(Sample(id="1", question="?"), "x"), Example(Sample(id="2", question="?"))])
    with pytest.raises(DataError, match=r"rows.jsonl: row 2: no `response`"):
        train(settings(tmp_path / "run", data, model="./nowhere"))
