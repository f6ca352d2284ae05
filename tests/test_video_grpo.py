"""GRPO on video: the clip reaches rollout, reference and policy alike, once per group."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from videor2.data import DataError, Example, read_examples, write_examples
from videor2.models.prompt import encode
from videor2.sample import Sample
from videor2.train.grpo import GRPOSettings, build_trainer, train
from videor2.train.video_grpo import VideoGRPOTrainer
from videor2.video.store import VideoConfig

VIDEO = VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False)


def settings(out: Path, model: Path, data: Path, **fields) -> GRPOSettings:
    return GRPOSettings(
        model=str(model),
        out=out,
        data=[data],
        video=VIDEO,
        num_generations=2,
        prompts_per_step=2,
        max_steps=3,
        max_completion_length=12,
        learning_rate=1e-3,
        save_steps=1,
        **fields,
    )


@pytest.fixture
def trainer(tmp_path: Path, untrained: Path, world: Path) -> VideoGRPOTrainer:
    return build_trainer(settings(tmp_path, untrained, world), read_examples(world))


def rollout(trainer: VideoGRPOTrainer) -> dict[str, torch.Tensor]:
    rows = [trainer.train_dataset[i] for i in (0, 0, 4, 4)]
    trainer.model.train()
    return trainer._generate_and_score_completions(rows)


def logps(trainer: VideoGRPOTrainer, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    with torch.no_grad():
        return trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, batch["completion_ids"].shape[1], batch_size=3
        )[0]


def test_log_probs_are_those_of_a_plain_forward_with_the_clip(trainer: VideoGRPOTrainer) -> None:
    batch = rollout(trainer)
    seen = logps(trainer, batch)
    row = trainer.train_dataset[4]
    clip = trainer.clips.get(row["prompt"][0]["content"][0]["video"])
    inputs = encode(trainer.processing_class, [row["prompt"]], [clip])
    completion = batch["completion_ids"][2:3][:, batch["completion_mask"][2].bool()]
    length = completion.shape[1]
    inputs["input_ids"] = torch.cat([inputs["input_ids"], completion], dim=1)
    for name in ("attention_mask", "mm_token_type_ids"):
        inputs[name] = torch.nn.functional.pad(inputs[name], (0, length), value=int(name == "attention_mask"))
    with torch.no_grad():
        logits = trainer.model(**inputs).logits[0, -length - 1 : -1]
    expected = logits.log_softmax(-1).gather(1, completion[0][:, None])[:, 0]
    torch.testing.assert_close(seen[2, :length], expected, atol=1e-4, rtol=1e-4)


def test_another_video_gives_other_log_probs(trainer: VideoGRPOTrainer) -> None:
    batch = rollout(trainer)
    before = logps(trainer, batch)
    for row in trainer._rows[:1]:
        row.video["pixel_values_videos"].neg_()
    after = logps(trainer, batch)
    changed = (before - after).abs().amax(dim=1)
    assert (changed[:2] > 1e-4).all()
    torch.testing.assert_close(before[2:], after[2:])


def test_the_policy_pass_of_the_loss_sees_each_row_with_its_own_clip_after_the_shuffle(
    trainer: VideoGRPOTrainer,
) -> None:
    batch = rollout(trainer)
    straight = logps(trainer, batch)
    order = torch.tensor([3, 0, 2, 1])
    shuffled = {k: v[order] if torch.is_tensor(v) and v.dim() else v for k, v in batch.items()}
    trainer.current_gradient_accumulation_steps = 1
    trainer._compute_loss(trainer.model, shuffled)
    torch.testing.assert_close(logps(trainer, shuffled), straight[order], atol=1e-5, rtol=1e-5)


def test_the_reference_sees_the_clip_too(trainer: VideoGRPOTrainer) -> None:
    batch = rollout(trainer)
    mask = batch["completion_mask"].bool()
    torch.testing.assert_close(batch["ref_per_token_logps"][mask], logps(trainer, batch)[mask], atol=1e-4, rtol=1e-4)


def test_a_clip_is_read_and_encoded_once_per_group(trainer: VideoGRPOTrainer) -> None:
    rollout(trainer)
    assert len(trainer._encoded) == 4
    assert trainer._encoded[0] is trainer._encoded[1]
    assert trainer._encoded[2] is trainer._encoded[3]


def test_a_run_logs_every_part_of_the_reward_and_the_kl(tmp_path: Path, untrained: Path, world: Path) -> None:
    train(settings(tmp_path, untrained, world))
    steps = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    first = steps[0]
    for part in ("accuracy_reward", "format_reward", "gated_alignment_reward"):
        assert f"rewards/{part}/mean" in first
    assert "kl" in first
    assert [s["step"] for s in steps][:3] == [1, 2, 3]
    assert np.isfinite([s["loss"] for s in steps if "loss" in s]).all()


def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path: Path, untrained: Path, world: Path) -> None:
    train(settings(tmp_path, untrained, world).model_copy(update={"max_steps": 2}))
    train(settings(tmp_path, untrained, world).model_copy(update={"max_steps": 4}), resume=True)
    steps = [json.loads(line) for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert [s["step"] for s in steps if "loss" in s] == [1, 2, 3, 4]


def test_a_row_without_an_answer_is_told(tmp_path: Path, untrained: Path) -> None:
    data = tmp_path / "rows.jsonl"
    write_examples(data, [Example(Sample(id="odd", question="?"))])
    with pytest.raises(DataError, match="odd: no `answer`"):
        train(settings(tmp_path / "run", untrained, data))
