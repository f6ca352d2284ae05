"""Fetch a benchmark from the Hugging Face hub into the layout that its spec reads; only ever when asked to."""

import json
import logging
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Final

from videor2.benchmarks.spec import Benchmark
from videor2.benchmarks.unpack import archives, unpack
from videor2.errors import InputError
from videor2.progress import Progress
from videor2.rundir import write_json

log = logging.getLogger(__name__)

STATE: Final = ".videor2-download.json"
"""In the benchmark's folder: what was fetched from which commit, and which archives are unpacked."""

LIFTED: Final[Mapping[str, str]] = {"mlvu": "MLVU"}
"""Folders of the hub whose contents the layout has one level up; links are made for them."""

LOOK_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a data set on the hub. blob: changes whenever its content does."""

    path: str
    size: int
    blob: str


def download(benchmark: Benchmark, root: Path, *, videos: bool = True, token: str | None = None) -> Path:
    """Fetch a benchmark's annotations and, with `videos`, its videos into `root/slug`; gives that folder.

    What will be fetched is logged before. A download that was cut off goes on, files that are there and unchanged are
    not fetched again, archives are unpacked once, and may be removed then. token: of the hub; None takes HF_TOKEN or
    that of `hf auth login`.

    Offline (HF_HUB_OFFLINE=1, or no network) a folder that was fetched whole before is given as it is. Raises
    InputError, with the fix, where the hub cannot be reached, terms have to be accepted first, the disk is too small,
    or the data set has no such files.
    """
    source, folder = benchmark.source, root / benchmark.slug
    if not source.hub:
        raise InputError(f"{benchmark.name} is on no hub; write it with `videor2 data synth --split test --out {root}`")
    wanted = [*source.files, *(source.videos if videos else ())]
    state = _read_state(folder)
    hub = _huggingface_hub()
    try:
        commit, files = _listing(hub, source.hub, wanted, token)
    except Exception as error:
        reason = _explain(hub, error, benchmark, folder)
        if reason is None:
            raise
        if _is_offline(hub, error) and set(wanted) <= set(state.get("patterns", [])):
            log.warning("%s; %s is used as it was fetched before", reason, folder)
            return folder
        raise InputError(reason) from None
    _check_listing(benchmark, files)
    unpacked = dict(state.get("unpacked", {}))
    done = _unpacked_paths(files, unpacked)
    todo = [file for file in files if file.path not in done]
    _announce(benchmark, folder, commit, todo, len(files))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with _watched(folder, todo):
            hub.snapshot_download(
                source.hub,
                repo_type="dataset",
                revision=commit,
                local_dir=folder,
                allow_patterns=wanted,
                ignore_patterns=[_literal(path) for path in done] or None,
                token=token,
            )
    except Exception as error:
        reason = _explain(hub, error, benchmark, folder)
        if reason is None:
            raise
        raise InputError(reason) from None
    _unpack_all(folder, todo, unpacked)
    _lift(folder, benchmark.slug)
    patterns = sorted({*state.get("patterns", []), *wanted}) if state.get("commit") == commit else sorted(wanted)
    _write_state(folder, {"hub": source.hub, "commit": commit, "patterns": patterns, "unpacked": unpacked})
    return folder


def _huggingface_hub() -> Any:
    try:
        import huggingface_hub
        import huggingface_hub.errors
    except ImportError as error:
        raise InputError(f"downloads need the train extra ({error}): pip install 'videor2[train]'") from None
    return huggingface_hub


def _listing(hub: Any, repo: str, patterns: Sequence[str], token: str | None) -> tuple[str, list[RemoteFile]]:
    """The newest commit and those of its files that are wanted."""
    api = hub.HfApi(token=token)
    commit = str(api.dataset_info(repo).sha)
    tree = api.list_repo_tree(repo, repo_type="dataset", recursive=True, revision=commit)
    # Folders have no size.
    found = [RemoteFile(e.path, e.size, e.blob_id) for e in tree if getattr(e, "size", None) is not None]
    return commit, [file for file in found if _matches(file.path, patterns)]


def _matches(path: str, patterns: Sequence[str]) -> bool:
    """As the hub's client matches: a star reaches over folders."""
    return any(fnmatch(path, pattern) for pattern in patterns)


def _check_listing(benchmark: Benchmark, files: Sequence[RemoteFile]) -> None:
    source = benchmark.source
    if not any(_matches(file.path, source.files) for file in files):
        raise InputError(
            f"{source.hub}: no file like {' or '.join(source.files)} there any more; see "
            f"{_page(source.hub)} and put its annotations into the folder {benchmark.slug} by hand"
        )


def _announce(benchmark: Benchmark, folder: Path, commit: str, todo: Sequence[RemoteFile], total: int) -> None:
    """Say what will be fetched. Raises InputError where it does not fit on the disk."""
    missing = [file for file in todo if not _is_there(folder, file)]
    size = sum(file.size for file in missing)
    packed_paths = {path for parts in archives(file.path for file in todo).values() for path in parts}
    packed = sum(file.size for file in todo if file.path in packed_paths)
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    log.info(
        "%s: %d of %d files of %s (commit %.8s) to fetch into %s: %s, and %s to unpack",
        benchmark.name, len(missing), total, benchmark.source.hub, commit, folder, _size(size), _size(packed),
    )  # fmt: skip
    if size + packed > free:
        raise InputError(
            f"{folder}: to fetch and unpack {benchmark.name} takes {_size(size + packed)}, {_size(free)} are free; "
            "give a --data-root on a larger disk"
        )


def _unpacked_paths(files: Sequence[RemoteFile], unpacked: Mapping[str, str]) -> set[str]:
    """Archives of which every part was unpacked as it is on the hub now."""
    blobs = {file.path: file.blob for file in files}
    groups = archives(blobs).values()
    return {path for parts in groups if all(unpacked.get(p) == blobs[p] for p in parts) for path in parts}


def _unpack_all(folder: Path, files: Sequence[RemoteFile], unpacked: dict[str, str]) -> None:
    """Unpack the archives among these files, each beside itself, and note it as soon as it is done."""
    blobs = {file.path: file.blob for file in files}
    for archive, parts in archives(blobs).items():
        target = (folder / archive).parent
        count = unpack([folder / part for part in parts], target)
        log.info("%s: %d files unpacked into %s", folder / archive, count, target)
        unpacked.update({part: blobs[part] for part in parts})
        _write_state(folder, _read_state(folder) | {"unpacked": unpacked})


def _lift(folder: Path, slug: str) -> None:
    """Make what lies one level too low reachable where the layout has it."""
    below = folder / LIFTED.get(slug, "")
    if below == folder or not below.is_dir():
        return
    for entry in sorted(below.iterdir()):
        link = folder / entry.name
        if not link.exists():
            link.symlink_to(Path(below.name, entry.name), target_is_directory=entry.is_dir())


@contextmanager
def _watched(folder: Path, files: Sequence[RemoteFile]) -> Iterator[None]:
    """Show how much of the files is on the disk while they are fetched."""
    before = _on_disk(folder, files)
    total = max(0, sum(file.size for file in files) - before)
    stop = threading.Event()

    def watch(progress: Progress) -> None:
        while not stop.wait(LOOK_EVERY_S):
            progress.advance(max(0, (_on_disk(folder, files) - before) // 2**20 - progress.done))

    with Progress("downloading", total=total // 2**20, unit="MB") as progress:
        thread = threading.Thread(target=watch, args=(progress,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


def _on_disk(folder: Path, files: Sequence[RemoteFile]) -> int:
    whole = sum(file.size for file in files if _is_there(folder, file))
    partial = 0
    for path in (folder / ".cache" / "huggingface").rglob("*.incomplete"):
        try:
            partial += path.stat().st_size
        except FileNotFoundError:  # complete by now
            continue
    return whole + partial


def _is_there(folder: Path, file: RemoteFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _explain(hub: Any, error: Exception, benchmark: Benchmark, folder: Path) -> str | None:
    """What went wrong and what to do, in one line; None for what is no fault of hub, network or disk."""
    repo, errors = benchmark.source.hub, hub.errors
    page, by_hand = _page(repo), f"put the files of {_page(repo)} into {folder}"
    reason = None
    if isinstance(error, errors.GatedRepoError):
        terms = f" ({benchmark.source.gated})" if benchmark.source.gated else ""
        reason = (
            f"it is gated{terms}: accept its terms at {page} with your account, then log in with `hf auth login` or "
            "set HF_TOKEN to a token that may read it"
        )
    elif isinstance(error, errors.RepositoryNotFoundError):
        reason = f"no such data set on {_endpoint(hub)}, or not for you: log in with `hf auth login`, or {by_hand}"
    elif isinstance(error, errors.OfflineModeIsEnabled):
        reason = f"not fetched, as HF_HUB_OFFLINE is set: unset it, or {by_hand}"
    elif isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code if error.response is not None else "an error"
        hint = "is the token right? See `hf auth whoami`" if status in (401, 403) else "try again later"
        reason = f"the hub at {_endpoint(hub)} answered {status}; {hint}"
    elif _is_offline(hub, error):
        reason = (
            f"no connection to the hub at {_endpoint(hub)} ({_short(error)}): check network, proxy and HF_ENDPOINT and "
            f"run again, which goes on, or {by_hand}"
        )
    elif isinstance(error, OSError):
        reason = f"cannot be fetched into {folder} ({_short(error)})"
    return reason and f"{repo}: {reason}"


def _is_offline(hub: Any, error: BaseException) -> bool:
    """Whether the hub could not be reached. Its client has changed its HTTP library more than once."""
    libraries = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    kinds: tuple[Any, ...] = (
        hub.errors.OfflineModeIsEnabled,
        hub.errors.LocalEntryNotFoundError,
        ConnectionError,
        TimeoutError,
        *(library.TransportError for library in libraries),
    )
    return isinstance(error, kinds)


def _page(repo: str) -> str:
    return f"https://huggingface.co/datasets/{repo}"


def _endpoint(hub: Any) -> str:
    return str(hub.constants.ENDPOINT)


def _literal(path: str) -> str:
    """A pattern that matches this path alone."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__


def _size(count: float) -> str:
    """Bytes for people.

    >>> _size(512), _size(34_500_000_000)
    ('512 B', '34.5 GB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def _read_state(folder: Path) -> dict[str, Any]:
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):  # cut off or none: what is there is looked at again
        return {}
    return state if isinstance(state, dict) else {}


def _write_state(folder: Path, state: dict[str, Any]) -> None:
    write_json(folder / STATE, state)
