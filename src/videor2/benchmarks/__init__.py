"""The paper's benchmarks, one short file each: fields, prompt, kinds of answers, official metric."""

from videor2.benchmarks.registry import benchmarks, find
from videor2.benchmarks.rows import AnnotationError
from videor2.benchmarks.spec import Benchmark
from videor2.benchmarks.validation import Validation, validate

__all__ = ["AnnotationError", "Benchmark", "Validation", "benchmarks", "find", "validate"]
