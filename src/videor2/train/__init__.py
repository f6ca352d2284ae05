"""Post-training: supervised fine-tuning and GRPO, on TRL and accelerate."""
