"""A cache that decodes in place.

transformers' dynamic cache copies all keys and values for each new token. Behind the prompt of a video that is most of
what a decoding step moves; here the room for the completion is there from the start.
"""

from typing import Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer


class PreallocatedLayer(DynamicLayer):  # type: ignore[misc]
    """Keys and values (B, H, L, D) of one layer, in memory for L + `room` tokens."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor, room: int) -> None:
        super().__init__()
        self.lazy_initialization(keys, values)
        self._memory = [torch.cat([s, s.new_empty(*s.shape[:2], room, s.shape[3])], dim=2) for s in (keys, values)]
        self._show(keys.shape[2])

    def _show(self, length: int) -> None:
        self.keys, self.values = (memory[:, :, :length] for memory in self._memory)

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the states of new tokens behind the others and return all; grows where the room does not suffice."""
        start = self.keys.shape[2]
        end = start + key_states.shape[2]
        lacking = end - self._memory[0].shape[2]
        if lacking > 0:
            self._memory = [torch.cat([m, m.new_empty(*m.shape[:2], lacking, m.shape[3])], dim=2) for m in self._memory]
        for memory, states in zip(self._memory, (key_states, value_states), strict=True):
            memory[:, :, start:end] = states
        self._show(end)
        return self.keys, self.values


def repeat_prefill(prefill: DynamicCache, rows: torch.Tensor, *, room: int) -> DynamicCache:
    """A cache with a row for each of `rows` (B,), indices into the prefill's, and room for that many more tokens.

    The prefill is taken apart on the way, so that no more than one layer is in memory twice.
    """
    cache = DynamicCache()
    for layer in prefill.layers:
        cache.layers.append(PreallocatedLayer(layer.keys[rows], layer.values[rows], room))
        layer.keys = layer.values = None
    return cache
