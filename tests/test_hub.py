"""Fetching benchmarks: from a hub on loopback, in processes of their own, as its client reads the environment once."""

import io
import json
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hub_server import Hub, serve
from videor2.benchmarks import find
from videor2.benchmarks.hub import STATE, download
from videor2.benchmarks.unpack import Parts, archives, unpack
from videor2.errors import InputError

SCRIPT = """
import logging, sys
from pathlib import Path
from videor2.benchmarks import find
from videor2.benchmarks.hub import download
from videor2.errors import InputError
logging.basicConfig(level=logging.WARNING, format="%(message)s")
logging.getLogger("videor2").setLevel(logging.INFO)
try:
    print(download(find(sys.argv[1]), Path(sys.argv[2]), videos=sys.argv[3] == "videos", token=sys.argv[4] or None))
except InputError as error:
    print("InputError:", error)
"""
Fetch = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def fetch(tmp_path: Path) -> Fetch:
    """Download in a process of its own: `fetch(url, slug)`."""

    def run(
        url: str, slug: str, *, videos: bool = True, token: str = "", env: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
        own = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_XET": "1"}
        command = [sys.executable, "-c", SCRIPT, slug, str(tmp_path / "data"), "videos" if videos else "", token]
        done = subprocess.run(
            command, env=clean | own | (env or {}), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    return run


def zipped(members: Mapping[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: Mapping[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


LVB_ROWS = [
    {
        "id": f"v{i}_0",
        "video_path": f"v{i}.mp4",
        "subtitle_path": f"v{i}_en.json",
        "question": "What is he doing?",
        "candidates": ["walking", "riding"],
        "correct_choice": i % 2,
        "duration_group": 15,
        "duration": 12.0,
        "question_category": "TOS",
    }
    for i in range(3)
]
LVB_VIDEOS = {f"videos/v{i}.mp4": bytes([i]) * (50_000 + i) for i in range(3)}


def longvideobench(parts: int = 3) -> dict[str, bytes]:
    """The data set as it is published: the videos as one tar, cut into parts."""
    whole = tarred(LVB_VIDEOS)
    step = len(whole) // parts + 1
    cut = {f"videos.tar.part.a{'abcdef'[i]}": whole[i * step : (i + 1) * step] for i in range(parts)}
    return cut | {
        "README.md": b"# read me",
        "lvb_val.json": json.dumps(LVB_ROWS).encode(),
        "subtitles.tar": tarred({"subtitles/v0_en.json": b"[]"}),
    }


REPO = "longvideobench/LongVideoBench"


def test_a_benchmark_is_fetched_unpacked_and_can_be_read(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        done = fetch(hub.url, "longvideobench")
    folder = tmp_path / "data" / "longvideobench"
    assert done.stdout.strip() == str(folder)
    assert "LongVideoBench: 5 of 5 files of longvideobench/LongVideoBench" in done.stderr
    assert "kB, and 1" in done.stderr  # how much to fetch and to unpack, said before
    samples = list(find("longvideobench").read(tmp_path / "data"))
    assert [Path(s.video or "").read_bytes() for s in samples] == list(LVB_VIDEOS.values())
    assert "README.md" not in hub.fetched()


def test_a_second_download_fetches_and_unpacks_nothing(tmp_path: Path, fetch: Fetch) -> None:
    folder = tmp_path / "data" / "longvideobench"
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench")
        for archive in folder.glob("*.tar*"):
            archive.unlink()  # no longer needed
        hub.requests.clear()
        done = fetch(hub.url, "longvideobench")
    assert hub.fetched() == []
    assert "0 of 5 files" in done.stderr
    assert "unpacked into" not in done.stderr


def test_annotations_alone_are_fetched_without_archives(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench", videos=False)
        assert hub.fetched() == ["lvb_val.json"]
        fetch(hub.url, "longvideobench")  # goes on with the rest
        assert hub.fetched().count("lvb_val.json") == 1
    assert (tmp_path / "data" / "longvideobench" / "videos" / "v2.mp4").is_file()


def test_a_line_that_breaks_is_survived(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench(parts=1)}, cut_off={"videos.tar.part.aa": 40_000})) as hub:
        fetch(hub.url, "longvideobench")
    assert hub.fetched().count("videos.tar.part.aa") == 2
    assert (tmp_path / "data" / "longvideobench" / "videos" / "v0.mp4").read_bytes() == LVB_VIDEOS["videos/v0.mp4"]


def test_what_changed_on_the_hub_is_fetched_and_unpacked_again(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench")
        hub.files[REPO]["subtitles.tar"] = tarred({"subtitles/v0_en.json": b'["new"]'})
        hub.requests.clear()
        fetch(hub.url, "longvideobench")
    assert hub.fetched() == ["subtitles.tar"]
    assert (tmp_path / "data" / "longvideobench" / "subtitles" / "v0_en.json").read_bytes() == b'["new"]'


@pytest.mark.parametrize("token", ["", "hf_wrong"])
def test_a_gated_data_set_says_where_to_accept_and_how_to_log_in(fetch: Fetch, token: str) -> None:
    with serve(Hub({REPO: longvideobench()}, gated=frozenset({REPO}))) as hub:
        said = fetch(hub.url, "longvideobench", token=token).stdout
        assert said.startswith("InputError: longvideobench/LongVideoBench: it is gated (terms of LongVideoBench on")
        assert "https://huggingface.co/datasets/longvideobench/LongVideoBench" in said
        assert "`hf auth login` or set HF_TOKEN" in said
        assert "\n" not in said.strip()


def test_a_gated_data_set_is_fetched_with_the_token_of_the_environment(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()}, gated=frozenset({REPO}))) as hub:
        fetch(hub.url, "longvideobench", env={"HF_TOKEN": hub.token})
    assert (tmp_path / "data" / "longvideobench" / "videos" / "v0.mp4").is_file()


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_without_a_network_the_fix_is_named(fetch: Fetch) -> None:
    said = fetch(f"http://127.0.0.1:{closed_port()}", "videomme").stdout
    assert said.startswith("InputError: lmms-lab/Video-MME: no connection to the hub at http://127.0.0.1:")
    assert "check network, proxy and HF_ENDPOINT" in said


def test_offline_mode_is_respected(fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        said = fetch(hub.url, "longvideobench", env={"HF_HUB_OFFLINE": "1"}).stdout
    assert "not fetched, as HF_HUB_OFFLINE is set: unset it, or put the files of https://" in said
    assert hub.requests == []


@pytest.mark.parametrize("env", [{"HF_HUB_OFFLINE": "1"}, {}])
def test_what_was_fetched_before_serves_offline(tmp_path: Path, fetch: Fetch, env: dict[str, str]) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench")
    done = fetch(hub.url, "longvideobench", env=env)  # the server is gone
    assert done.stdout.strip() == str(tmp_path / "data" / "longvideobench")
    assert "is used as it was fetched before" in done.stderr


def test_videos_that_were_never_fetched_do_not_serve_offline(fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench", videos=False)
    assert fetch(hub.url, "longvideobench", env={"HF_HUB_OFFLINE": "1"}).stdout.startswith("InputError")


def test_a_data_set_that_is_gone_and_a_hub_that_fails(fetch: Fetch) -> None:
    with serve(Hub({})) as hub:
        assert "no such data set on http://127.0.0.1" in fetch(hub.url, "longvideobench").stdout
        hub.status = 418
        assert "answered 418; try again later" in fetch(hub.url, "longvideobench").stdout


def test_a_data_set_without_annotations_is_told(fetch: Fetch) -> None:
    with serve(Hub({REPO: {"README.md": b""}})) as hub:
        said = fetch(hub.url, "longvideobench").stdout
    assert "no file like lvb_val.json or validation-*.parquet there any more" in said


def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path, fetch: Fetch) -> None:
    files = longvideobench() | {"subtitles.tar": tarred({"../../out.txt": b"x"})}
    with serve(Hub({REPO: files})) as hub:
        said = fetch(hub.url, "longvideobench").stdout
    assert "subtitles.tar: its member '../../out.txt' would lie outside" in said
    assert not list(tmp_path.rglob("out.txt"))


def test_folders_of_mlvu_are_found_where_its_layout_has_them(tmp_path: Path, fetch: Fetch) -> None:
    row = {
        "video": "a.mp4",
        "question": "Who?",
        "candidates": ["he", "she"],
        "answer": "she",
        "question_type": "plotQA",
    }
    files = {"MLVU/json/1_plotQA.json": json.dumps([row]).encode(), "MLVU/video/1_plotQA/a.mp4": b"film"}
    with serve(Hub({"MLVU/MVLU": files})) as hub:
        fetch(hub.url, "mlvu")
    (sample,) = find("mlvu").read(tmp_path / "data")
    assert Path(sample.video or "").read_bytes() == b"film"


def test_the_embedded_benchmark_is_not_on_the_hub(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="synth is on no hub; write it with `videor2 data synth"):
        download(find("synth"), tmp_path)
    assert not (tmp_path / "synth").exists()


def test_without_its_extra_the_fix_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"downloads need the train extra .*pip install 'videor2\[train\]'"):
        download(find("videomme"), tmp_path)


def test_the_state_names_the_commit(tmp_path: Path, fetch: Fetch) -> None:
    with serve(Hub({REPO: longvideobench()})) as hub:
        fetch(hub.url, "longvideobench")
        state = json.loads((tmp_path / "data" / "longvideobench" / STATE).read_text())
        assert state["commit"] == hub.commit(REPO)
    assert set(state["unpacked"]) == {"subtitles.tar", *(f"videos.tar.part.a{c}" for c in "abc")}


# Archives alone.

MEMBERS = {"videos/a.mp4": b"a" * 3000, "videos/deep/b.mp4": b"b" * 10, "c.srt": b""}


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tar.xz"])
@pytest.mark.parametrize("parts", [1, 4])
def test_archives_are_unpacked_whole_or_in_parts(tmp_path: Path, kind: str, parts: int) -> None:
    whole = zipped(MEMBERS) if kind == "zip" else tarred(MEMBERS, f"w:{kind.partition('.')[2]}")
    step = len(whole) // parts + 1
    paths = []
    for i in range(parts):
        paths.append(tmp_path / f"x.{kind}.{i:03}")
        paths[-1].write_bytes(whole[i * step : (i + 1) * step])
    assert unpack(paths, tmp_path / "out") == 3
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert found == MEMBERS


@pytest.mark.parametrize("name", ["../up.txt", "/etc/up.txt", "a/../../up.txt", "..\\up.txt", "C:\\up.txt"])
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_member_outside_the_folder_is_refused(tmp_path: Path, make: Callable[..., bytes], name: str) -> None:
    (tmp_path / "x.arc").write_bytes(make({name: b"x"}))
    with pytest.raises(InputError, match=r"x\.arc: its member .* would lie outside"):
        unpack([tmp_path / "x.arc"], tmp_path / "a" / "out")
    assert [p.name for p in tmp_path.rglob("*")] == ["x.arc"]


def test_links_and_leftovers_are_left_out(tmp_path: Path) -> None:
    link = tarfile.TarInfo("videos")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc"
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.addfile(link)
        for name in ("videos/a.mp4", "__MACOSX/a.mp4", "videos/._a.mp4", ".DS_Store"):
            archive.addfile(tarfile.TarInfo(name))
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as zip_file:
        info = zipfile.ZipInfo("evil")
        info.external_attr = 0o120777 << 16
        zip_file.writestr(info, "/etc/passwd")
        zip_file.writestr("b.mp4", b"b")
    assert unpack([tmp_path / "x.tar"], tmp_path / "out") == 1
    assert unpack([tmp_path / "x.zip"], tmp_path / "out") == 1
    assert {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*")} == {
        "videos",
        "videos/a.mp4",
        "b.mp4",
    }
    assert not (tmp_path / "out" / "videos").is_symlink()


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_damaged_archive_is_told(tmp_path: Path, make: Callable[..., bytes]) -> None:
    (tmp_path / "x.arc").write_bytes(make({"a.mp4": os.urandom(5000)})[:3000])
    with pytest.raises(InputError, match=r"x\.arc: cannot be unpacked .* download it again"):
        unpack([tmp_path / "x.arc"], tmp_path / "out")
    assert not list(tmp_path.glob("out/*"))


def test_unpacking_goes_on_after_an_interruption(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(zipped(MEMBERS))
    unpack([tmp_path / "x.zip"], tmp_path)
    (tmp_path / "videos" / "a.mp4").write_bytes(b"cut")
    kept = (tmp_path / "videos" / "deep" / "b.mp4").stat().st_mtime_ns
    unpack([tmp_path / "x.zip"], tmp_path)
    assert (tmp_path / "videos" / "a.mp4").read_bytes() == MEMBERS["videos/a.mp4"]
    assert (tmp_path / "videos" / "deep" / "b.mp4").stat().st_mtime_ns == kept


def test_parts_are_told_from_other_files() -> None:
    names = ["a/x.zip.001", "a/x.zip.002", "y.tar.gz", "z.tar.gz.part_aa", "w.tgz", "x.zip.md5", "v.mp4", "tar.json"]
    assert archives(names) == {
        "a/x.zip": ["a/x.zip.001", "a/x.zip.002"],
        "w.tgz": ["w.tgz"],
        "y.tar.gz": ["y.tar.gz"],
        "z.tar.gz": ["z.tar.gz.part_aa"],
    }


def test_parts_read_as_one_file(tmp_path: Path) -> None:
    content = os.urandom(1000)
    cuts = [0, 1, 1, 400, 999, 1000]
    paths = [tmp_path / str(i) for i in range(5)]
    for path, start, end in zip(paths, cuts, cuts[1:], strict=False):
        path.write_bytes(content[start:end])
    with io.BufferedReader(Parts(paths)) as file:
        assert file.read() == content
        file.seek(-700, io.SEEK_END)
        assert file.read(500) == content[300:800]
