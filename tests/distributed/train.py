"""A short GRPO run, started by torchrun or alone: MODEL DATA OUT PROMPTS_PER_PROCESS [key=value]...

The reward is of the tokens alone, so that an untrained model gets some and everything follows from the seed.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch
from trl import GRPOConfig

from videor2.data import read_examples
from videor2.models.load import load_model
from videor2.train.checkpoints import last_whole
from videor2.train.grpo import dataset
from videor2.train.video_grpo import VideoGRPOTrainer
from videor2.video.store import ClipStore, VideoConfig

G = 4


def even_tokens(completion_ids: list[list[int]], **columns: object) -> list[float]:
    """Share of tokens with an even id."""
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


class Killed(VideoGRPOTrainer):
    """Dies without warning, as by `kill -9`, before the micro-step of that number."""

    at = -1

    def training_step(self, *args: object, **kwargs: object) -> torch.Tensor:
        if self._step == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().training_step(*args, **kwargs)


def main(model: str, data: str, out: Path, prompts: int, **settings: str) -> None:
    torch.set_num_threads(1)
    policy, processor = load_model(model, dtype=torch.float32)
    options = {"learning_rate": 1e-3, "max_steps": 3, "beta": 0.04, "loss_type": "grpo", "seed": 3, "bf16": False} | {
        name: json.loads(value) for name, value in settings.items()
    }
    kill_at, share = options.pop("kill_at", -1), options.pop("share_prefix", True)
    args = GRPOConfig(
        output_dir=str(out),
        per_device_train_batch_size=prompts * G,
        num_generations=G,
        max_completion_length=10,
        use_cpu=True,
        logging_steps=1,
        save_steps=1,
        report_to="none",
        remove_unused_columns=False,
        disable_tqdm=True,
        **options,
    )
    clips = ClipStore(VideoConfig(fps=2, max_frames=24, max_pixels=1024, timestamps=False), workers=1)
    trainer = Killed(
        policy,
        [even_tokens],
        args=args,
        train_dataset=dataset(read_examples(data)),
        processing_class=processor,
        clips=clips,
        share_prefix=share,
    )
    trainer.at = kill_at
    trainer.train(resume_from_checkpoint=last_whole(out))
    if trainer.accelerator.is_main_process:
        history = [entry for entry in trainer.state.log_history if "loss" in entry]
        (out / "history.json").write_text(json.dumps({"history": history, "reads": clips.reads}))


if __name__ == "__main__":
    model, data, out, prompts, *settings = sys.argv[1:]
    main(model, data, Path(out), int(prompts), **dict(setting.split("=", 1) for setting in settings))
