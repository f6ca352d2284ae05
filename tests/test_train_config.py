import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from videor2.data import DataError, Example
from videor2.errors import InputError
from videor2.recipes import launch_config, recipe
from videor2.sample import Sample
from videor2.timeline import Event
from videor2.train.checks import check, check_stages
from videor2.train.config import ConfigError, LoraSettings, load_config, peft_config
from videor2.train.grpo import GRPOSettings, VLLMSettings, arguments
from videor2.train.launch import is_sharded, weights_dtype, world_size
from videor2.train.sft import SFTSettings


def grpo(*overrides: str) -> GRPOSettings:
    return load_config(recipe("tiny_grpo"), GRPOSettings, list(overrides))


def examples(count: int, **fields: Any) -> list[Example]:
    sample = {"question": "?", "answer": "A", "events": (Event(0, 1, "a ball appears"),)} | fields
    return [Example(Sample(id=str(i), **sample)) for i in range(count)]


def test_shipped_recipes_are_valid() -> None:
    assert grpo().num_generations == 8
    assert [s.name for s in load_config(recipe("tiny_sft"), SFTSettings).stages] == ["look", "distilled"]


def test_the_recipe_of_the_paper_says_what_the_paper_says() -> None:
    sft = load_config(recipe("qwen2_5_vl_7b_sft"), SFTSettings)
    (stage,) = sft.stages
    assert sft.model == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert sft.lora == LoraSettings(rank=64, alpha=64, dropout=0.05)
    assert (stage.learning_rate, stage.epochs, stage.batch_size * stage.gradient_accumulation * 8) == (1e-5, 1, 32)
    assert (sft.video.fps, sft.video.max_frames, sft.video.max_pixels) == (1, 128, 360 * 420)
    settings = load_config(recipe("qwen2_5_vl_7b_grpo"), GRPOSettings)
    assert (settings.num_generations, settings.beta, settings.learning_rate) == (8, 0.04, 1e-6)
    assert (settings.schedule, settings.epochs, settings.max_completion_length) == ("cosine", 1, 1024)
    assert settings.lora is None
    assert settings.freeze_vision
    assert settings.video.timestamps
    assert (settings.video.fps, settings.video.max_frames, settings.video.max_pixels) == (2, 32, 360 * 420)
    assert settings.prompts_per_step * settings.gradient_accumulation * 8 == 8
    rewards = settings.rewards
    assert (rewards.accuracy, rewards.format, rewards.gated_alignment) == (1, 1, 1)
    assert (rewards.variant, rewards.buffer_s, rewards.threshold) == ("precision_greedy", 2, 0.75)
    assert "Qwen/Qwen3-Next-80B-A3B-Instruct" in rewards.judge


def test_fine_tuning_and_grpo_of_the_paper_ask_alike_and_follow_each_other() -> None:
    sft = load_config(recipe("qwen2_5_vl_7b_sft"), SFTSettings)
    settings = load_config(recipe("qwen2_5_vl_7b_grpo"), GRPOSettings)
    assert settings.instruction == sft.instruction
    assert Path(settings.model) == sft.out


def test_overrides_reach_into_lists_and_mappings() -> None:
    settings = load_config(
        recipe("tiny_sft"), SFTSettings, ["stages.1.max_steps=7", "video.fps=4", "stages.0.data=[a, b]"]
    )
    assert settings.stages[1].max_steps == 7
    assert settings.video.fps == 4
    assert settings.stages[0].data == [Path("a"), Path("b")]
    assert grpo("lora.rank=8", "vllm.mode=server").lora == LoraSettings(rank=8)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("learning_rat=1", "`learning_rat`: Extra inputs"),
        ("num_generations=1", "`num_generations`: Input should be greater than or equal to 2"),
        ("prompts_per_step=0", "`prompts_per_step`: Input should be greater than 0"),
        ("learning_rate=-1e-6", "`learning_rate`: Input should be greater than 0"),
        ("beta=-1", "`beta`: Input should be greater than or equal to 0"),
        ("decode_workers=-1", "`decode_workers`"),
        ("max_video_failures=2", "`max_video_failures`: Input should be less than or equal to 1"),
        ("warmup_ratio=1", "`warmup_ratio`: Input should be less than 1"),
        ("top_p=0", "`top_p`"),
        ("scale_rewards=std", "`scale_rewards`: Input should be 'group', 'batch' or 'none'"),
        ("rewards.variant=recall", "`rewards.variant`"),
        ("rewards={accuracy: 0, format: 0, gated_alignment: 0}", "`rewards`: .* nothing to learn"),
        ("rewards.judge_deadline_s=0", "`rewards.judge_deadline_s`"),
        ("vllm.mode=remote", "`vllm.mode`"),
        ("vllm.gpu_memory_utilization=1.5", "`vllm.gpu_memory_utilization`"),
        ("vllm.base_url=http://here:8000", "`vllm`: .* set mode to server"),
        ("vllm.importance_sampling_clip_min=3", "`vllm`: .* is to be below"),
        (
            "vllm={importance_sampling_mode: token_truncate, importance_sampling_clip_max: null}",
            "`vllm`: .* needs an importance_sampling_clip_max",
        ),
        ("lora.dropout=1", "`lora.dropout`"),
        ("nonsense", "an override is key=value"),
        ("data.9.x=1", "no `9` to reach into"),
    ],
)
def test_a_wrong_field_is_told_by_name(override: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        grpo(override)


def test_a_config_that_is_no_mapping_or_not_there_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match="no such file"):
        load_config(path, GRPOSettings)
    path.write_text("- 1")
    with pytest.raises(ConfigError, match="mapping"):
        load_config(path, GRPOSettings)
    path.write_text("a: [")
    with pytest.raises(ConfigError, match="not YAML"):
        load_config(path, GRPOSettings)


def test_an_unknown_recipe_or_launch_config_lists_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="tiny_grpo"):
        recipe("big")
    with pytest.raises(InputError, match="ddp, fsdp2, zero3"):
        launch_config("fsdp3")
    own = tmp_path / "own.yaml"
    own.touch()
    assert launch_config(str(own)) == own


def test_settings_reach_trl_under_its_names() -> None:
    args = arguments(
        grpo("num_iterations=2", "steps_per_generation=4", "scale_rewards=none", "top_k=50", "weight_decay=0.01")
    )
    assert args.per_device_train_batch_size == 64
    assert (args.num_iterations, args.steps_per_generation, args.generation_batch_size) == (2, 4, 256)
    assert (args.scale_rewards, args.top_k, args.weight_decay) == ("none", 50, 0.01)
    assert (args.lr_scheduler_type, args.learning_rate, args.max_steps) == ("cosine", 1e-4, 40)
    assert not args.gradient_checkpointing
    assert not args.use_vllm
    assert args.use_cpu is not torch.cuda.is_available()


def test_settings_of_vllm_have_the_names_and_defaults_of_trl() -> None:
    default = arguments(grpo())
    given = VLLMSettings().arguments
    assert given.pop("use_vllm")
    assert given == {name: getattr(default, name) for name in given}
    there = arguments(grpo("vllm={mode: server, base_url: 'http://rollouts:8000', importance_sampling_clip_max: 2}"))
    assert there.use_vllm
    assert (there.vllm_mode, there.vllm_server_base_url) == ("server", "http://rollouts:8000")
    assert there.vllm_importance_sampling_clip_max == 2


def test_adapters_are_on_the_linear_layers_of_the_language_model() -> None:
    import re

    config = peft_config(LoraSettings(rank=4, alpha=8, dropout=0.1))
    assert config is not None
    assert (config.r, config.lora_alpha, config.lora_dropout) == (4, 8, 0.1)
    for name, adapted in {
        "model.language_model.layers.0.self_attn.q_proj": True,
        "model.language_model.layers.0.mlp.down_proj": True,
        "model.visual.blocks.0.mlp.up_proj": False,
        "lm_head": False,
    }.items():
        assert bool(re.fullmatch(config.target_modules, name)) is adapted, name
    assert peft_config(None) is None


@pytest.mark.parametrize(
    ("overrides", "count", "processes", "told"),
    [
        (["model=tiny-untrained"], 64, 1, "`model`: tiny-untrained .* fine-tune it first"),
        ([], 7, 1, r"`prompts_per_step`: a rollout takes 8 prompts .*there are 7: prompts_per_step=7 fits"),
        (
            [],
            63,
            8,
            r"takes 64 prompts \(8 x 8 processes x 1 forward passes\), .*there are 63: prompts_per_step=7 fits",
        ),
        (
            ["prompts_per_step=1", "gradient_accumulation=4"],
            10,
            4,
            "`prompts_per_step`: a rollout takes 16 .*: gradient_accumulation=2 fits",
        ),
        (["gradient_accumulation=4"], 10, 4, ": prompts_per_step=1 with gradient_accumulation=2 fits"),
        (
            ["prompts_per_step=1", "steps_per_generation=8", "gradient_accumulation=4"],
            12,
            4,
            "`prompts_per_step`: .*: steps_per_generation=2 fits",
        ),
        (["prompts_per_step=1"], 3, 8, "start at most 3 processes"),
        (
            ["gradient_accumulation=4", "steps_per_generation=3"],
            999,
            1,
            r"`steps_per_generation`: 3 neither divides .*nearest that fits: 2 or 4",
        ),
        (["rewards.judge=oracle"], 64, 1, "`rewards.judge`: no judge 'oracle'; there are: rules, openai:URL#NAME"),
        (["report_to=[wandbb]"], 64, 1, "`report_to`: there is no 'wandbb'; did you mean wandb"),
        (["report_to=[stdout]"], 64, 1, "`report_to`: there is no 'stdout'; did you mean .*tensorboard"),
    ],
)
def test_what_cannot_work_is_told_before_anything_is_loaded(
    overrides: list[str], count: int, processes: int, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        check(grpo(*overrides), examples(count), processes)


def test_a_reporter_that_is_not_installed_is_told() -> None:
    from transformers.integrations import get_available_reporting_integrations

    absent = next(n for n in ("clearml", "neptune", "wandb") if n not in get_available_reporting_integrations())
    with pytest.raises(ConfigError, match=f"`report_to`: {absent} is not installed; installed: "):
        check(grpo(f"report_to=[{absent}]"), examples(8))


def test_a_missing_vllm_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videor2.train.checks.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="`vllm`: vllm is not installed: pip install"):
        check(grpo("vllm={}"), examples(8))


@pytest.mark.parametrize(
    ("vllm", "told"),
    [
        ("{tensor_parallel_size: 3}", "`vllm.tensor_parallel_size`: 3 does not divide the 8 .*: 2 or 4"),
        ("{tensor_parallel_size: 16}", "nearest that does: 8"),
        ("{max_model_length: 100}", "`vllm.max_model_length`: 100 tokens hold no .*: at least 180"),
    ],
)
def test_an_engine_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch, vllm: str, told: str) -> None:
    monkeypatch.setattr("videor2.train.checks.find_spec", lambda name: name)  # as where vllm is installed
    with pytest.raises(ConfigError, match=told):
        check(grpo(f"vllm={vllm}", "max_prompt_tokens=100"), examples(64), 8)


@pytest.mark.parametrize("vllm", ["{mode: server}", "{tensor_parallel_size: 2}"])
def test_vllm_takes_videos_only_in_the_process_that_read_them(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, vllm: str
) -> None:
    monkeypatch.setattr("videor2.train.checks.find_spec", lambda name: name)  # as where vllm is installed
    key = vllm.strip("{}").partition(":")[0]
    with pytest.raises(ConfigError, match=f"`vllm.{key}`: .*: set it to"):
        check(grpo(f"vllm={vllm}"), examples(64, video=str(tmp_path)), 8)
    check(grpo(f"vllm={vllm}"), examples(64), 8)


def test_steps_per_generation_may_divide_gradient_accumulation_or_be_a_multiple_of_it() -> None:
    for passes in (1, 2, 4, 8):
        check(grpo("gradient_accumulation=4", f"steps_per_generation={passes}"), examples(64))


def test_a_row_without_an_answer_is_told() -> None:
    with pytest.raises(DataError, match="0: no `answer`"):
        check(grpo(), examples(8, answer=None))


def test_missing_clips_are_told_and_a_few_are_let_pass(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    there, gone = tmp_path / "a.mp4", tmp_path / "b.mp4"
    there.touch()
    few = [*examples(8, video=str(there)), *examples(8, video=str(gone))]
    many = [*few, *examples(1, video=str(there), subtitles=str(tmp_path / "c.srt"))]
    with pytest.raises(DataError, match=r"b.mp4 \(of .*\): no such file; 2 of 3 are missing, and `max_video_failures`"):
        check(grpo(), many)
    with pytest.raises(DataError, match="1 of 1 are missing"):
        check(grpo(), few[8:])
    with caplog.at_level(logging.WARNING):
        check(grpo(), few)
        check(grpo("max_video_failures=0.7"), many)
    assert caplog.text.count("b.mp4") == 2


def test_what_is_left_out_or_never_applies_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        check(grpo(), examples(21, events=()))
    assert "5 of 21 examples are left out of each epoch" in caplog.text
    assert "no example has `events`" in caplog.text


def test_fine_tuning_needs_an_example_for_each_process(caplog: pytest.LogCaptureFixture) -> None:
    settings = load_config(recipe("tiny_sft"), SFTSettings)
    with pytest.raises(ConfigError, match=r"`stages.1.data`: 3 examples for 4 processes: start at most 3"):
        check_stages(settings, [99, 3], 4)
    with caplog.at_level(logging.WARNING):
        check_stages(settings, [99, 31])
    assert "stage distilled: 31 examples do not fill one step of 32" in caplog.text


def test_sharded_fine_tuning_has_one_stage_and_saves_what_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    settings = load_config(recipe("tiny_sft"), SFTSettings)
    with pytest.raises(ConfigError, match="`stages`: sharded weights train one stage"):
        check_stages(settings, [99, 99])
    one = settings.model_copy(update={"stages": settings.stages[:1]})
    with pytest.raises(ConfigError, match="`save_dtype`"):
        check_stages(one, [99])


def test_a_launcher_tells_how_many_processes_there_are_and_whether_weights_are_sharded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("WORLD_SIZE", "ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        monkeypatch.delenv(name, raising=False)
    assert (world_size(), is_sharded()) == (1, False)
    monkeypatch.setenv("WORLD_SIZE", "8")
    monkeypatch.setenv("ACCELERATE_USE_DEEPSPEED", "true")
    assert (world_size(), is_sharded()) == (8, True)


def test_trained_weights_are_float32_wherever_nobody_else_keeps_them_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert weights_dtype(adapters=True) is torch.float32
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert weights_dtype(adapters=False) is torch.float32
    assert weights_dtype(adapters=True) is torch.bfloat16
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    assert weights_dtype(adapters=False) is torch.bfloat16
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert weights_dtype(adapters=False) is torch.float32


def test_the_command_line_tells_it_in_one_line_and_exits_with_2(videor2, world: Path) -> None:
    done = videor2("train", "grpo", "--config", "tiny_grpo", f"data=[{world}]", "prompts_per_step=1000")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("videor2: `prompts_per_step`: a rollout takes 1000 prompts")
