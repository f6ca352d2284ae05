"""The cache that decodes in place holds what transformers' dynamic cache holds."""

import pytest
import torch
from transformers import DynamicCache

from videor2.models.cache import PreallocatedLayer, repeat_prefill


def states(tokens: int, *, rows: int = 2) -> torch.Tensor:
    return torch.randn(rows, 3, tokens, 4)


@pytest.mark.parametrize("room", [0, 2, 8])
def test_updates_give_what_concatenation_gives(room: int) -> None:
    keys, values = states(5), states(5)
    layer = PreallocatedLayer(keys, values, room)
    for tokens in (1, 2, 1):
        new_keys, new_values = states(tokens), states(tokens)
        keys, values = torch.cat([keys, new_keys], 2), torch.cat([values, new_values], 2)
        for found, expected in zip(layer.update(new_keys, new_values), (keys, values), strict=True):
            assert torch.equal(found, expected)
        assert layer.get_seq_length() == keys.shape[2]


def test_within_its_room_nothing_is_moved() -> None:
    layer = PreallocatedLayer(states(5), states(5), 2)
    before = layer.keys.data_ptr()
    layer.update(states(2), states(2))
    assert layer.keys.data_ptr() == before


def test_a_prefill_is_repeated_and_let_go() -> None:
    prefill = DynamicCache()
    keys, values = states(5), states(5)
    prefill.update(keys, values, 0)
    cache = repeat_prefill(prefill, torch.tensor([1, 0, 1]), room=3)
    assert torch.equal(cache.layers[0].keys, keys[[1, 0, 1]])
    assert torch.equal(cache.layers[0].values, values[[1, 0, 1]])
    assert cache.get_seq_length() == 5
    assert prefill.layers[0].keys is None
