"""Videos in and out: frames with true times, burnt-in timestamps and subtitles, files made from frames."""

from videor2.video.clip import Clip, VideoError, VideoInfo
from videor2.video.overlay import burn
from videor2.video.read import probe, read
from videor2.video.sampling import Sampling
from videor2.video.subtitles import Cue, SubtitleError
from videor2.video.write import write

__all__ = [
    "Clip",
    "Cue",
    "Sampling",
    "SubtitleError",
    "VideoError",
    "VideoInfo",
    "burn",
    "probe",
    "read",
    "write",
]
