"""All benchmarks, and how one is found by name."""

from videor2.benchmarks.longvideobench import LONGVIDEOBENCH
from videor2.benchmarks.minerva import MINERVA
from videor2.benchmarks.mlvu import MLVU
from videor2.benchmarks.mmvu import MMVU
from videor2.benchmarks.mvbench import MVBENCH
from videor2.benchmarks.names import canonical
from videor2.benchmarks.scivideobench import SCIVIDEOBENCH
from videor2.benchmarks.spec import Benchmark
from videor2.benchmarks.synth import SYNTH
from videor2.benchmarks.tempcompass import TEMPCOMPASS
from videor2.benchmarks.video_mmmu import VIDEO_MMMU
from videor2.benchmarks.videomathqa import VIDEOMATHQA
from videor2.benchmarks.videomme import VIDEOMME
from videor2.benchmarks.vsi_bench import VSI_BENCH
from videor2.errors import InputError

_GENERIC = (MVBENCH, VIDEOMME, TEMPCOMPASS, MLVU, LONGVIDEOBENCH)
_REASONING = (VIDEOMATHQA, VIDEO_MMMU, MMVU, VSI_BENCH, MINERVA, SCIVIDEOBENCH)


def benchmarks() -> tuple[Benchmark, ...]:
    """The eleven benchmarks of arXiv 2511.23478 in the order of its tables, then `synth`."""
    return (*_GENERIC, *_REASONING, SYNTH)


def find(name: str) -> Benchmark:
    """The benchmark of a slug, a display name, or a name that a harness gives it.

    Raises InputError, which lists what there is, for any other.

    >>> find("vsi_bench").name, find("Video-MME").slug
    ('VSI-Bench', 'videomme')
    """
    display = canonical(name.strip())[0].lower()
    for benchmark in benchmarks():
        if display in (benchmark.name.lower(), benchmark.slug):
            return benchmark
    raise InputError(f"no benchmark {name!r}; there are {', '.join(b.slug for b in benchmarks())}")
