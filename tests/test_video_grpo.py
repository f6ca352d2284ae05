"""GRPO on video: the clip reaches rollout, reference and policy alike, once per group."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from videor2.data import DataError, Example, read_examples, write_examples
from videor2.judges import Conclusion
from videor2.models.generate import vision_token_ids
from videor2.models.prompt import encode
from videor2.rewards.trl import make_rewards
from videor2.sample import Sample
from videor2.train.grpo import GRPOSettings, build_trainer, train
from videor2.train.limits import TrainingError
from videor2.train.prompts import skipping
from videor2.train.video_grpo import VideoGRPOTrainer
from videor2.video.store import VideoConfig

VIDEO = VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False)


def settings(out: Path, model: Path, data: Path, **fields: Any) -> GRPOSettings:
    usual: dict[str, Any] = {
        "model": str(model),
        "out": out,
        "data": [data],
        "video": VIDEO,
        "num_generations": 2,
        "prompts_per_step": 2,
        "max_steps": 3,
        "max_completion_length": 12,
        "learning_rate": 1e-3,
        "save_steps": 1,
    }
    return GRPOSettings(**usual | fields)


@pytest.fixture
def trainer(tmp_path: Path, untrained: Path, world: Path) -> VideoGRPOTrainer:
    return build_trainer(settings(tmp_path, untrained, world), read_examples(world))


def rollout(trainer: VideoGRPOTrainer, rows: tuple[int, ...] = (0, 0, 4, 4)) -> dict[str, torch.Tensor]:
    trainer.model.train()
    return trainer._generate_and_score_completions([trainer.train_dataset[row] for row in rows])


def logps(trainer: VideoGRPOTrainer, batch: dict[str, torch.Tensor], *, batch_size: int = 3) -> torch.Tensor:
    ids = torch.cat([batch["prompt_ids"], batch["completion_ids"]], dim=1)
    mask = torch.cat([batch["prompt_mask"], batch["completion_mask"]], dim=1)
    with torch.no_grad():
        return trainer._get_per_token_logps_and_entropies(
            trainer.model, ids, mask, batch["completion_ids"].shape[1], batch_size=batch_size
        )[0]


def steps(out: Path) -> list[dict[str, Any]]:
    entries = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    return [entry for entry in entries if "loss" in entry]


def with_broken_videos(world: Path, folder: Path, *, broken: int) -> Path:
    """The world's questions, of which some videos are no videos."""
    shutil.copytree(world.parent / "train", folder / "train")
    for clip in sorted((folder / "train").iterdir())[:broken]:
        clip.write_bytes(b"this is not a video")
    shutil.copy(world, folder / world.name)
    return folder / world.name


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
    assert trainer.clips.reads == 2
    assert [trainer._rows[0] is row for row in trainer._rows] == [True, True, False, False]
    assert trainer._rows[2] is trainer._rows[3]


@pytest.mark.parametrize("batch_size", [1, 3, 4])
def test_log_probs_do_not_depend_on_how_a_batch_is_cut(trainer: VideoGRPOTrainer, batch_size: int) -> None:
    batch = rollout(trainer)
    torch.testing.assert_close(logps(trainer, batch, batch_size=batch_size), logps(trainer, batch), atol=1e-5, rtol=0)


def test_shared_and_copied_prefixes_give_one_loss_and_one_gradient(trainer: VideoGRPOTrainer) -> None:
    batch = rollout(trainer)
    batch["advantages"] = torch.tensor([1.0, -1.0, 0.5, -0.5])
    trainer.current_gradient_accumulation_steps = 1
    results = []
    for share in (True, False):
        trainer.share_prefix = share
        trainer.model.zero_grad()
        loss = trainer._compute_loss(trainer.model, dict(batch))
        loss.backward()
        results.append([loss.detach(), *(p.grad.clone() for p in trainer.model.parameters() if p.grad is not None)])
    assert len(results[0]) == len(results[1]) > 50
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("loss", ["grpo", "dr_grpo", "dapo", "bnpo"])
def test_every_loss_of_the_recipe_trains(tmp_path: Path, untrained: Path, world: Path, loss: str) -> None:
    out = train(settings(tmp_path, untrained, world, loss=loss, max_steps=1))
    assert np.isfinite(steps(out)[0]["loss"])


def test_a_run_logs_what_one_needs_to_know(tmp_path: Path, untrained: Path, world: Path) -> None:
    train(settings(tmp_path, untrained, world))
    first = steps(tmp_path)[0]
    for part in ("accuracy_reward", "format_reward", "gated_alignment_reward"):
        assert f"rewards/{part}/mean" in first
        assert f"rewards/{part}/std" in first
    for name in ("kl", "clip_ratio/region_mean", "completions/mean_length", "completions/clipped_ratio"):
        assert name in first
    for name in ("alignment/gate", "alignment/abstained", "rewards/failed"):
        assert name in first
    for part in ("decode", "rollout", "reward", "update"):
        assert first[f"seconds/{part}"] >= 0
    assert first["groups/zero_variance"] + first["groups/skipped_video"] + first["groups/skipped_length"] <= 2
    assert first["rollout/max_logp_difference"] < 1e-4
    assert [step["step"] for step in steps(tmp_path)] == [1, 2, 3]
    assert np.isfinite([step["loss"] for step in steps(tmp_path)]).all()


def test_the_reference_of_adapters_is_the_model_without_them(tmp_path: Path, untrained: Path, world: Path) -> None:
    recipe = settings(tmp_path, untrained, world, lora={"rank": 4, "alpha": 4, "dropout": 0.0})
    trainer = build_trainer(recipe, read_examples(world))
    before = rollout(trainer)
    mask = before["completion_mask"].bool()
    torch.testing.assert_close(before["ref_per_token_logps"][mask], logps(trainer, before)[mask], atol=1e-5, rtol=0)
    for name, parameter in trainer.model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.3)
    after = rollout(trainer)
    mask = after["completion_mask"].bool()
    assert (after["ref_per_token_logps"] - logps(trainer, after))[mask].abs().max() > 1e-3


def test_pixels_are_never_written(trainer: VideoGRPOTrainer) -> None:
    forbidden = vision_token_ids(trainer.processing_class)
    with torch.no_grad():  # a model that would write nothing else
        trainer.model.model.language_model.embed_tokens.weight[forbidden] *= 50
    written = set(rollout(trainer)["completion_ids"].flatten().tolist())
    assert not written & set(forbidden)


def test_shuffling_keeps_groups_whole(tmp_path: Path, untrained: Path, world: Path) -> None:
    recipe = settings(tmp_path, untrained, world, prompts_per_step=1, gradient_accumulation=4)
    trainer = build_trainer(recipe, read_examples(world))
    trainer.model.train()
    rows = [trainer.train_dataset[row] for row in (0, 0, 4, 4, 8, 8, 12, 12)]
    seen = []
    for step in range(4):
        trainer._step = step
        index = trainer._prepare_inputs(rows)["encoded_index"].tolist()
        seen.append(index)
        assert index[0] // 2 == index[1] // 2
    assert sorted(index for part in seen for index in part) == list(range(8))


def test_an_evaluation_in_between_leaves_the_batch_in_use_alone(tmp_path: Path, untrained: Path, world: Path) -> None:
    recipe = settings(tmp_path, untrained, world, num_iterations=2)
    trainer = build_trainer(recipe, read_examples(world))
    trainer.model.train()
    rows = [trainer.train_dataset[row] for row in (0, 0, 4, 4)]
    trainer._step, trainer.current_gradient_accumulation_steps = 0, 1
    batch = trainer._prepare_inputs(rows)
    expected = trainer._compute_loss(trainer.model, batch)
    trainer.model.eval()
    trainer._prepare_inputs([trainer.train_dataset[row] for row in (8, 8)])
    trainer.model.train()
    trainer._step = 1
    torch.testing.assert_close(trainer._compute_loss(trainer.model, trainer._prepare_inputs(rows)), expected)


def test_a_group_without_a_readable_video_is_left_out_and_counted(
    tmp_path: Path, untrained: Path, world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = with_broken_videos(world, tmp_path, broken=1)
    trainer = build_trainer(settings(tmp_path / "run", untrained, data), read_examples(data))
    batch = rollout(trainer)
    assert batch["completion_mask"].sum(1).tolist()[:2] == [0, 0]
    assert all(batch["completion_mask"].sum(1)[2:] > 0)
    assert batch["advantages"][:2].tolist() == [0, 0]
    assert trainer._metrics["train"]["groups/skipped_video"] == [1]
    assert trainer._metrics["train"]["completions/clipped_ratio"]
    assert "skipping the group of" in caplog.text
    trainer.current_gradient_accumulation_steps = 1
    assert torch.isfinite(trainer._compute_loss(trainer.model, batch))
    rollout(trainer)
    assert caplog.text.count("skipping the group of") == 1


def test_rewards_are_not_asked_about_what_was_left_out() -> None:
    logged: dict[str, list[Any]] = {}

    def counting(completions: list[str], id: list[int], log_extra: Any, **columns: Any) -> list[float]:
        assert completions == ["c", "d"]
        assert id == [4, 4]
        log_extra("seen", completions)
        return [1.0, 0.5]

    async def counting_async(**columns: Any) -> list[float]:
        return counting(**columns)

    columns = {"completions": list("abcd"), "id": [0, 0, 4, 4], "log_extra": logged.__setitem__}
    expected = [None, None, 1.0, 0.5]
    assert skipping(counting, lambda row: row < 2)(**columns) == expected
    assert asyncio.run(skipping(counting_async, lambda row: row < 2)(**columns)) == expected
    assert logged == {"seen": [None, None, "c", "d"]}
    assert skipping(counting, lambda row: True)(**columns) == [None] * 4


def test_too_many_unreadable_videos_stop_the_run(tmp_path: Path, untrained: Path, world: Path) -> None:
    data = with_broken_videos(world, tmp_path, broken=5)
    with pytest.raises(
        TrainingError, match=r"of 6 videos cannot be read, more than max_video_failures=0.05 allows: .*mp4"
    ):
        train(settings(tmp_path / "run", untrained, data))


def test_a_prompt_that_is_too_long_is_left_out_with_its_count_of_video_tokens(
    trainer: VideoGRPOTrainer, caplog: pytest.LogCaptureFixture
) -> None:
    prompts = [row["prompt"] for row in trainer.train_dataset]
    lengths = [len(entry.encoded.input_ids) for entry in trainer._prompts.load(prompts)]
    short, long = lengths.index(min(lengths)), lengths.index(max(lengths))
    trainer._prompts._max_tokens = lengths[long] - 1
    batch = rollout(trainer, (short, short, long, long))
    assert (batch["completion_mask"].sum(1) > 0).tolist() == [True, True, False, False]
    assert trainer._metrics["train"]["groups/skipped_length"] == [1]
    assert f"has {lengths[long]} tokens" in caplog.text
    assert "of them video" in caplog.text
    assert "lower video.max_frames or video.max_pixels" in caplog.text


def test_a_step_without_a_prompt_short_enough_stops_the_run(trainer: VideoGRPOTrainer) -> None:
    trainer._prompts._max_tokens = 10
    with pytest.raises(TrainingError, match="no prompt of this step can be trained on: its prompt has"):
        rollout(trainer)


def test_groups_of_one_reward_can_be_left_out(tmp_path: Path, untrained: Path, world: Path) -> None:
    recipe = settings(tmp_path, untrained, world, skip_zero_variance=True)
    trainer = build_trainer(recipe, read_examples(world))
    batch = rollout(trainer)  # an untrained model earns nothing at all
    assert trainer._metrics["train"]["groups/zero_variance"] == [2]
    assert batch["completion_mask"].sum() == 0
    trainer.current_gradient_accumulation_steps = 1
    loss = trainer._compute_loss(trainer.model, batch)
    loss.backward()
    assert loss == 0


def test_a_judge_that_stays_away_stops_the_run_with_a_checkpoint(
    tmp_path: Path, untrained: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(think: str, **asked: Any) -> Conclusion:
        return Conclusion(None, "error", "connection refused")

    recipe = settings(tmp_path, untrained, world, max_steps=9, max_failed_steps=2, save_steps=100)
    trainer = build_trainer(recipe, read_examples(world))
    # The model must write reasoning for the judge to be asked.
    text = [{"role": "assistant", "content": "<think>It is red.</think><answer>A</answer>"}]
    failing = make_rewards(judge=away)[-1]

    async def gated_alignment_reward(completions: list[Any], **columns: Any) -> list[float | None]:
        return await failing(completions=[text] * len(completions), **columns)

    trainer.reward_funcs[-1] = gated_alignment_reward
    with pytest.raises(TrainingError, match=r"in 2 steps in a row .*Checkpoint: .*checkpoint-1; mend the judge"):
        trainer.train()
    assert (tmp_path / "checkpoint-1" / "trainer_state.json").is_file()


def test_a_lack_of_memory_says_what_did_not_fit_and_what_would_halve_it(
    trainer: VideoGRPOTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: Any, **kwargs: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(trainer.model.model.language_model, "forward", full)
    with pytest.raises(
        TrainingError, match=r"P=\d+ tokens \(\d+ patches in all\), G=2 .*C=12: halve prompts_per_step \(now 2\)"
    ):
        rollout(trainer)


def test_batches_that_would_spread_a_group_are_refused_before_anything_is_loaded(
    trainer: VideoGRPOTrainer, tmp_path: Path
) -> None:
    trainer.args.per_device_train_batch_size = 3
    with pytest.raises(ValueError, match=r"3 completions .* num_generations=2: .*The nearest numbers that fit: 2 or 4"):
        VideoGRPOTrainer(None, [], args=trainer.args, processing_class=trainer.processing_class, clips=trainer.clips)


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
