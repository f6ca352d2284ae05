// Claims, events and timelines of a sample all drive one clip, and the playhead follows it.
for (const sample of document.querySelectorAll(".sample")) {
  const video = sample.querySelector("video");
  const heads = sample.querySelectorAll(".playhead");
  const duration = Number(sample.dataset.duration);

  const show = (seconds) => {
    const x = `${100 * Math.min(Math.max(seconds / duration, 0), 1)}%`;
    for (const head of heads) {
      head.setAttribute("x1", x);
      head.setAttribute("x2", x);
    }
  };
  const seek = (seconds) => {
    show(seconds);
    if (!video) return;
    video.pause();
    video.currentTime = Number.isFinite(video.duration) ? Math.min(seconds, video.duration) : seconds;
  };

  sample.addEventListener("click", (event) => {
    const timed = event.target.closest("[data-t]");
    if (timed) {
      seek(Number(timed.dataset.t));
      return;
    }
    const line = event.target.closest("svg.timeline");
    if (line) {
      const box = line.getBoundingClientRect();
      seek(duration * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1));
    }
  });

  if (video) {
    const follow = () => {
      show(video.currentTime);
      if (!video.paused && !video.ended) requestAnimationFrame(follow);
    };
    video.addEventListener("error", () => {
      sample.querySelector(".unplayable").hidden = false;
    });
    if (video.error) sample.querySelector(".unplayable").hidden = false;
    video.addEventListener("play", follow);
    video.addEventListener("seeked", follow);
    video.addEventListener("timeupdate", () => show(video.currentTime));
  }
}
