"""What `VideoGRPOTrainer` overrides of TRL, and relies on: a release that changes it must fail here, with a reason."""

import inspect

import pytest
from trl import GRPOTrainer
from trl.trainer import utils

from videor2.train.video_grpo import VideoGRPOTrainer

SIGNATURES = {
    "_get_train_sampler": ["self", "dataset"],
    "_prepare_inputs": ["self", "generation_batch"],
    "_tokenize_prompts": ["self", "prompts"],
    "_generate_single_turn": [
        "self",
        "prompt_ids",
        "images",
        "multimodal_fields",
        "num_generations",
        "has_tool_images",
    ],
    "_generate_and_score_completions": ["self", "inputs"],
    "_calculate_rewards": ["self", "inputs", "prompts", "completions", "completion_ids_list"],
    "_compute_loss": ["self", "model", "inputs"],
    "training_step": ["self", "model", "inputs", "num_items_in_batch"],
    "_save_checkpoint": ["self", "model", "trial"],
    "_load_optimizer_and_scheduler": ["self", "checkpoint"],
}
RELIED_ON = {
    "_get_per_token_logps_and_entropies": ["logits_to_keep", "fused_lm_head=True", "return logps, entropies, aux_loss"],
    "_prepare_inputs": [
        "generate_every = self.args.steps_per_generation * self.num_iterations",
        "shuffle_sequence_dict",
        "split_tensor_dict(generation_batch, self.args.steps_per_generation)",
        "self._buffered_inputs[self._step % self.args.steps_per_generation]",
    ],
    "_generate": ["self._tokenize_prompts(prompts)", "self._generate_single_turn("],
    "_generate_and_score_completions": [
        "self._calculate_rewards(inputs, prompts, completions, completion_ids_list)",
        '"completion_mask": completion_mask',
        '"num_items_in_batch": num_items_in_batch',
        'output["sampling_per_token_logps"]',
        "torch.isnan(rewards_per_func).all(dim=1)",
    ],
    "_calculate_rewards": ["is_async_callable(reward_func)", "gather(rewards_per_func)"],
    "_compute_loss": ["self._get_per_token_logps_and_entropies(", "compute_entropy=True"],
    "_generate_single_turn": ["unwrap_model_for_generation(", "summon_full_params(self.model_wrapped, recurse=False)"],
    "training_step": ["self._step += 1"],
}
HINT = "TRL has changed what VideoGRPOTrainer builds on: read the two side by side before the bound on trl is raised"


@pytest.mark.parametrize("name", SIGNATURES)
def test_what_is_overridden_takes_what_it_took(name: str) -> None:
    found = list(inspect.signature(inspect.unwrap(getattr(GRPOTrainer, name))).parameters)
    assert found == SIGNATURES[name], f"{name}{tuple(found)}: {HINT}"
    assert name in vars(VideoGRPOTrainer), f"{name} is no longer overridden: take it out of this test"


@pytest.mark.parametrize("name", RELIED_ON)
def test_what_is_relied_on_is_still_there(name: str) -> None:
    source = inspect.getsource(inspect.unwrap(getattr(GRPOTrainer, name)))
    missing = [fragment for fragment in RELIED_ON[name] if fragment not in source]
    assert not missing, f"{name} no longer has {missing}: {HINT}"


def test_nothing_is_overridden_without_being_watched() -> None:
    overridden = {name for name in vars(VideoGRPOTrainer) if name in dir(GRPOTrainer) and not name.startswith("__")}
    watched = SIGNATURES.keys() | RELIED_ON.keys()
    assert overridden <= watched


def test_the_fused_head_scores_labels_that_are_already_shifted() -> None:
    source = inspect.getsource(utils.add_fused_lm_head)
    for fragment in (
        "shift_labels=None",
        "fused_lm_head=False",
        "labels = shift_labels",
        'backbone_attr = "base_model"',
    ):
        assert fragment in source, f"add_fused_lm_head no longer has {fragment!r}: {HINT}"
