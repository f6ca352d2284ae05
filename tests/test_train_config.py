from pathlib import Path

import pytest

from videor2.errors import InputError
from videor2.recipes import recipe
from videor2.train.config import ConfigError, load_config
from videor2.train.grpo import GRPOSettings
from videor2.train.sft import SFTSettings


def test_shipped_recipes_are_valid() -> None:
    assert load_config(recipe("tiny_grpo"), GRPOSettings).num_generations == 8
    assert [s.name for s in load_config(recipe("tiny_sft"), SFTSettings).stages] == ["look", "distilled"]


def test_overrides_reach_into_lists_and_mappings() -> None:
    settings = load_config(
        recipe("tiny_sft"), SFTSettings, ["stages.1.max_steps=7", "video.fps=4", "stages.0.data=[a, b]"]
    )
    assert settings.stages[1].max_steps == 7
    assert settings.video.fps == 4
    assert settings.stages[0].data == [Path("a"), Path("b")]


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("learning_rat=1", "`learning_rat`: Extra inputs"),
        ("num_generations=1", "`num_generations`: Input should be greater than or equal to 2"),
        ("rewards.variant=recall", "`rewards.variant`"),
        ("nonsense", "an override is key=value"),
        ("data.9.x=1", "no `9` to reach into"),
    ],
)
def test_a_wrong_field_is_told_by_name(override: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told.replace("[", r"\[")):
        load_config(recipe("tiny_grpo"), GRPOSettings, [override])


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


def test_an_unknown_recipe_lists_those_that_there_are() -> None:
    with pytest.raises(InputError, match="tiny_grpo"):
        recipe("big")
