"""The launch configs, by accelerate's own loader, launcher and plugins, and the commands of the documentation."""

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils import DeepSpeedPlugin, DistributedType, FullyShardedDataParallelPlugin
from accelerate.utils.launch import prepare_deepspeed_cmd_env, prepare_multi_gpu_env

from videor2.data import read_examples
from videor2.recipes import FOLDER, launch_config, recipe
from videor2.train.config import load_config
from videor2.train.grpo import GRPOSettings
from videor2.train.sft import SFTSettings

CONFIGS = sorted(path.stem for path in (FOLDER / "accelerate").glob("*.yaml"))
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SCHEMAS = {"sft": SFTSettings, "grpo": GRPOSettings}
ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "docs" / "training.md", ROOT / "README.md", *FOLDER.glob("*.yaml"), FOLDER / "__init__.py")


def launched(*arguments: str) -> argparse.Namespace:
    """What `accelerate launch` makes of its arguments and the config file that they name."""
    return _validate_launch_command(launch_command_parser().parse_args(list(arguments)))[0]


def environment(args: argparse.Namespace) -> dict[str, str]:
    """What the launcher hands to each process."""
    if not args.use_deepspeed:
        return prepare_multi_gpu_env(args)
    # As `launch_command` does before it calls the launcher.
    fields = [*load_config_from_file(args.config_file).deepspeed_config, "mixed_precision"]
    args.deepspeed_fields_from_accelerate_config = ",".join(fields)
    return prepare_deepspeed_cmd_env(args)[1]


@pytest.fixture
def processes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    """In the environment of a process that a shipped config has launched."""
    args = launched("--config_file", str(launch_config(request.param)), "-m", "videor2", "train", "grpo")
    for name, value in environment(args).items():
        monkeypatch.setenv(name, value)
    return args


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_launches_eight_processes_in_bfloat16(name: str) -> None:
    assert load_config_from_file(str(launch_config(name))).num_processes == 8
    args = launched("--config_file", str(launch_config(name)), "-m", "videor2", "train", "grpo")
    assert (args.num_processes, args.num_machines, args.mixed_precision) == (8, 1, "bf16")
    assert environment(args)["ACCELERATE_MIXED_PRECISION"] == "bf16"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_number_of_processes_can_be_given(name: str) -> None:
    args = launched("--config_file", str(launch_config(name)), "--num_processes", "4", "-m", "videor2")
    assert args.num_processes == 4


def test_ddp_is_plain_data_parallelism() -> None:
    config = load_config_from_file(str(launch_config("ddp")))
    assert config.distributed_type == DistributedType.MULTI_GPU
    args = launched("--config_file", str(launch_config("ddp")), "-m", "videor2")
    assert args.multi_gpu
    assert not args.use_fsdp
    assert not args.use_deepspeed
    assert "ACCELERATE_USE_FSDP" not in environment(args)


@pytest.mark.parametrize("processes", ["fsdp2"], indirect=True)
def test_fsdp2_shards_layer_by_layer_and_saves_whole_models(processes: argparse.Namespace) -> None:
    from torch.distributed.fsdp import StateDictType
    from torch.distributed.fsdp.wrap import transformer_auto_wrap_policy

    assert processes.use_fsdp
    plugin = FullyShardedDataParallelPlugin()  # reads the environment, as in each process
    assert plugin.fsdp_version == 2
    assert plugin.reshard_after_forward is True
    assert plugin.auto_wrap_policy is transformer_auto_wrap_policy
    assert plugin.state_dict_type is StateDictType.FULL_STATE_DICT
    assert not plugin.cpu_ram_efficient_loading
    assert not plugin.activation_checkpointing


@pytest.mark.parametrize("processes", ["fsdp2"], indirect=True)
@pytest.mark.parametrize("family", ["qwen2_5_vl", "qwen3_vl"])
def test_fsdp2_finds_the_layers_of_the_models(processes: argparse.Namespace, family: str) -> None:
    import torch
    from transformers import AutoConfig, AutoModelForImageTextToText

    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(AutoConfig.for_model(family))
    plugin = FullyShardedDataParallelPlugin()
    plugin.set_auto_wrap_policy(model)
    wrapped = {cls.__name__ for cls in plugin.auto_wrap_policy.keywords["transformer_layer_cls"]}
    assert {name.rsplit("VL")[-1].removeprefix("Text") for name in wrapped} == {"DecoderLayer", "VisionBlock"}


@pytest.mark.parametrize("processes", ["zero3"], indirect=True)
def test_zero3_shards_everything_and_takes_the_rest_from_the_recipe(processes: argparse.Namespace) -> None:
    assert processes.use_deepspeed
    plugin = DeepSpeedPlugin()
    config = plugin.deepspeed_config
    assert plugin.zero3_init_flag
    assert config["zero_optimization"]["stage"] == 3
    assert config["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    assert config["zero_optimization"]["offload_optimizer"]["device"] == "none"
    for name in ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps"):
        assert config[name] == "auto", name
    assert config["gradient_clipping"] == "auto"
    plugin.set_mixed_precision("bf16")
    assert config["bf16"] == {"enabled": True}


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_valid(name: str) -> None:
    load_config(recipe(name), SCHEMAS[name.rsplit("_", maxsplit=1)[-1]])


def commands(program: str) -> Iterator[tuple[Path, list[str]]]:
    """The command lines of the documentation that run a program, continued lines joined."""
    for page in PAGES:
        text = re.sub(r"\\\n[#\s]*", " ", page.read_text(encoding="utf-8"))
        for line in text.splitlines():
            command = line.strip().removeprefix("#").strip()
            command = re.sub(r'"\$\(python -m videor2\.recipes (\w+)\)"', lambda m: str(launch_config(m[1])), command)
            words = shlex.split(command, comments=True) if program in command and "`" not in command else []
            while words and "=" in words[0]:  # VARIABLE=value before the program
                words.pop(0)
            if words[: len(program.split())] == program.split():
                yield page, words[len(program.split()) :]


def check_training(page: Path, words: list[str]) -> None:
    """`train sft|grpo --config RECIPE [key=value]...` names a recipe and fields that there are."""
    stage, flag, name, *overrides = words
    assert flag == "--config", (page, words)
    overrides = [o for o in overrides if o != "--resume"]
    load_config(recipe(name) if "." not in name else Path(name), SCHEMAS[stage], overrides)


def test_the_documented_launch_commands_are_ones_that_accelerate_takes() -> None:
    found = list(commands("accelerate launch"))
    assert {launch_config(name) for name in CONFIGS} <= {Path(launched(*words).config_file) for _, words in found}
    for page, words in found:
        args = launched(*words)
        assert (args.module, args.training_script) == (True, "videor2"), page
        assert args.training_script_args[0] == "train", page
        check_training(page, args.training_script_args[1:])


def test_the_documented_training_commands_name_recipes_and_fields_that_there_are() -> None:
    found = list(commands("videor2 train"))
    assert found
    for page, words in found:
        check_training(page, words)


def test_a_path_is_printed_for_other_programs() -> None:
    run = [sys.executable, "-m", "videor2.recipes"]
    done = subprocess.run([*run, "zero3"], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == launch_config("zero3")
    wrong = subprocess.run([*run, "zero4"], capture_output=True, text=True, check=False)
    assert wrong.returncode == 2
    assert "ddp, fsdp2, zero3" in wrong.stderr


def test_the_documented_rows_are_ones_that_can_be_read(tmp_path: Path) -> None:
    (rows,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "training.md").read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "rows.jsonl"
    path.write_text(rows, encoding="utf-8")
    first, second = read_examples(path)
    assert first.response
    assert len(first.sample.events) == 2
    assert second.sample.kind == "number"


@pytest.mark.slow
def test_two_processes_on_cpus_train_one_model_and_save_it_once(tmp_path: Path, untrained: Path, world: Path) -> None:
    recipe_file = tmp_path / "two.yaml"
    stage = {"name": "look", "data": [str(world)], "batch_size": 2, "max_steps": 2}
    fields = {"model": str(untrained), "out": str(tmp_path / "run"), "stages": [stage], "lora": {"rank": 4}}
    fields["video"] = {"fps": 2, "max_frames": 20, "max_pixels": 1024, "timestamps": False}
    recipe_file.write_text(yaml.safe_dump(fields | {"logging_steps": 1}))
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--cpu", "--num_processes", "2", "-m", "videor2"]
    done = subprocess.run(
        [*launch, "train", "sft", "--config", str(recipe_file)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    history = [json.loads(line) for line in (tmp_path / "run" / "history.jsonl").read_text().splitlines()]
    assert len([entry for entry in history if "loss" in entry]) == 2
    assert (tmp_path / "run" / "model.safetensors").is_file()
    assert not (tmp_path / "run" / "adapter_config.json").exists()  # merged
