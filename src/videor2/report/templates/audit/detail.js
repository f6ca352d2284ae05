// The open sample: its question, clip and events, and the responses of all runs to it side by side.

const SCORES = {
  accuracy: "Accuracy",
  consistency: "Consistency",
  tac_paper: "Consistency as published",
  alignment_f1: "Alignment F1",
  vas: "VAS",
  vas_rules: "vas_rules, an estimate by rules and no VAS",
  format: "Format",
};
const HOW = {
  explicit_choice: "an explicit choice",
  option_text: "the text of an option",
  elimination: "the other options ruled out",
  number: "a number",
  yes_no: "a yes or no",
  text: "its words",
  judge: "the judge's reading",
};
const MOST_PANES = 6;

const letterOf = (k) => String.fromCharCode(65 + k);
const textOf = (value) => (value === null || value === undefined ? "" : String(value));
const listOf = (value) => (Array.isArray(value) ? value : []);
const plain = (text) => text.trim().replace(/^[(\s]+|[).\s]+$/g, "").toLowerCase();

function optionOf(value, options) {
  const wanted = plain(textOf(value));
  if (!wanted) return -1;
  const letter = options.findIndex((_, k) => plain(letterOf(k)) === wanted);
  return letter >= 0 ? letter : options.findIndex((option) => plain(textOf(option)) === wanted);
}

function timeOf(seconds) {
  const whole = Math.round(seconds);
  const two = (x) => String(x).padStart(2, "0");
  const minutes = `${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  return whole < 3600 ? minutes : `${two(Math.floor(whole / 3600))}:${minutes}`;
}

const spanText = ({ start_s, end_s }) => (timeOf(start_s) === timeOf(end_s) ? timeOf(start_s) : `${timeOf(start_s)}-${timeOf(end_s)}`);
const isTimed = (one) => one && Number.isFinite(one.start_s) && Number.isFinite(one.end_s) && one.start_s >= 0;
const timeButton = (seconds, words, said) =>
  create("button", { type: "button", class: "stamp", "data-t": String(seconds), "aria-label": `${said}: go there` }, words);
const badge = (kind, words) => create("span", { class: `badge ${kind}` }, words);

// Draws a sample into `box`: `shown` are {i, text} of the first of `total` responses to its question, the chosen one first.
function drawDetail(box, samples, stateWords, shown, total, close) {
  const { text } = shown[0];
  const i = shown[0].i;
  const where = ["benchmark", "task"].map((column) => nameOf(samples, column, i)).filter(Boolean);
  const closing = create("button", { type: "button", class: "close", "aria-label": "Close" }, "×");
  closing.addEventListener("click", close);
  const panes = shown.map((one) => drawPane(samples, stateWords, one, shown.length > 1));
  const events = listOf(text.events).filter(isTimed);
  const clip = drawClip(samples.names.clips[samples.clip[i]]);
  const rest = total - shown.length;
  const more = rest ? [create("p", { class: "note" }, `${rest} more responses to this question are in the table.`)] : [];
  box.replaceChildren(
    create("header", {}, create("h3", {}, where.join(" / ") || "Sample"), create("span", { class: "id" }, samples.id[i]), drawKey(shown), closing),
    create("div", { class: clip ? "asking with-clip" : "asking" }, drawQuestion(samples, text, shown), ...(clip ? [clip] : [])),
    ...(events.length ? [drawEvents(events)] : []),
    create("div", { class: "panes" }, ...panes),
    ...more,
  );
  followClip(box);
}

// What the marks in the responses mean, of those that there are.
function drawKey(shown) {
  const marks = [];
  if (shown.some(({ text }) => textOf(text.scores?.consistency?.evidence))) marks.push(create("mark", { class: "evidence" }, "deciding sentence"));
  if (shown.some(({ text }) => listOf(text.claims).length)) marks.push(create("mark", { class: "claim" }, "claim with a time"));
  return create("span", { class: "marks" }, ...marks.flatMap((mark) => [mark, " "]));
}

function drawQuestion(samples, text, shown) {
  const options = listOf(text.options);
  const right = optionOf(text.answer, options);
  const told = shown.map((one) => optionOf(one.text.scores?.consistency?.answer, options));
  const items = options.map((option, k) => {
    const marks = k === right ? [badge("good", "correct")] : [];
    const runs = shown.filter((_, j) => told[j] === k).map(({ i }) => nameOf(samples, "run", i));
    if (runs.length) marks.push(badge(k === right ? "good" : "bad", answeredBy(runs, shown.length)));
    const words = create("bdi", {}, textOf(option));
    return create("li", k === right ? { class: "right" } : {}, create("span", { class: "letter" }, letterOf(k)), words, ...marks.flatMap((mark) => [" ", mark]));
  });
  const parts = [create("p", { class: "asked" }, textOf(text.question) || "(the log has no question)")];
  if (items.length) parts.push(create("ol", { class: "options" }, ...items));
  if (right < 0) parts.push(create("p", { class: "expected" }, "Correct answer: ", create("b", {}, textOf(text.answer) || "not known")));
  return create("div", { class: "question" }, ...parts);
}

function answeredBy(runs, total) {
  if (total === 1) return "answered";
  return total <= 3 && new Set(runs).size === runs.length ? `answered by ${runs.join(", ")}` : `answered by ${runs.length} of ${total}`;
}

function drawClip(clip) {
  if (!clip) return null;
  const box = create("div", { class: "clip" });
  if (clip.src) {
    const failed = create("p", { class: "note", hidden: "" }, `This browser cannot play ${clip.name}.`);
    const video = create("video", { controls: "", playsinline: "", preload: "metadata", src: clip.src, "aria-label": `Clip ${clip.name}` });
    video.muted = true;
    video.addEventListener("error", () => {
      failed.hidden = false;
      if (!clip.src.startsWith("data:")) failed.textContent += " Was it moved?";
    });
    box.append(video, failed);
  }
  if (clip.note) box.append(create("p", { class: "note missing" }, clip.note));
  return box;
}

function drawEvents(events) {
  const items = events.map((event) => create("li", {}, timeButton(event.start_s, spanText(event), spanText(event)), " ", create("bdi", {}, textOf(event.sentence))));
  return create("details", { class: "events" }, create("summary", {}, `What happens: ${events.length} events`), create("ol", {}, ...items));
}

function drawPane(samples, stateWords, { i, text }, several) {
  const consistency = text.scores?.consistency ?? {};
  const response = textOf(text.response);
  const reasoning = response.slice(0, reasoningEnd(response));
  const evidence = textOf(consistency.evidence);
  const found = evidence && consistency.how !== "error" ? spanOf(evidence, reasoning, true) : null;
  const claims = listOf(text.claims).filter(isTimed);
  const placed = placeClaims(reasoning, claims);
  const loose = placed.filter(({ stamp }) => !stamp).map(({ claim }) => claim);
  const state = nameOf(samples, "state", i);
  const parts = [];
  if (several) parts.push(create("h4", {}, nameOf(samples, "run", i) || "(unnamed run)"));
  parts.push(drawVerdict(samples, text, consistency, i));
  if (state && state !== "ok") parts.push(create("p", { class: "malformed" }, `Form: ${stateWords[state] ?? state}; shown as written.`));
  parts.push(response ? drawResponse(response, found, placed) : create("p", { class: "none" }, "No response."));
  if (evidence && !found && consistency.how !== "error") parts.push(create("p", { class: "loose" }, "Deciding words: ", create("mark", { class: "evidence" }, evidence)));
  if (loose.length) {
    const said = loose.flatMap((claim, k) => [k ? "; " : "", timeButton(claim.start_s, spanText(claim), spanText(claim)), " ", create("bdi", {}, textOf(claim.sentence))]);
    parts.push(create("p", { class: "loose" }, "Also claimed: ", ...said));
  }
  parts.push(drawScores(text, consistency));
  return create("section", { class: "pane" }, ...parts);
}

function drawVerdict(samples, text, consistency, i) {
  const options = listOf(text.options);
  const verdict = nameOf(samples, "verdict", i);
  const named = (value) => {
    const k = optionOf(value, options);
    return create("b", {}, k < 0 ? textOf(value) : letterOf(k));
  };
  const answers = textOf(consistency.answer) ? ["answers ", named(consistency.answer)] : ["gives no answer"];
  const told = textOf(consistency.detail).replace(/^concludes /, "reasoning concludes ");
  const sentence = textOf(consistency.conclusion)
    ? ["reasoning concludes ", named(consistency.conclusion), verdict === "consistent" ? " and " : ", ", ...answers]
    : [told, ...(/answers?\b/.test(told) ? [] : [told ? "; " : "", ...answers])];
  const answer = ANSWERS[answerCode(samples.accuracy[i])];
  const kind = VERDICTS[verdict]?.kind ?? "";
  const marks = [badge(kind, verdict)];
  if (answer !== "not scored") marks.push(" ", badge({ right: "good", wrong: "bad" }[answer] ?? "", `answer ${answer}`));
  return create("p", { class: "verdict-line" }, ...marks, " ", create("span", {}, ...sentence));
}

function drawResponse(response, evidence, placed) {
  const pieces = cut(response, evidence, placed).map((piece) => {
    const classes = [];
    if (piece.tag) classes.push("tag");
    if (piece.evidence) classes.push("evidence");
    const { claim } = placed[piece.claim] ?? {};
    if (claim) classes.push("claim", "event" in claim ? (claim.event === null ? "unmatched" : "matched") : "plain");
    const stated = placed[piece.stamp]?.claim;
    const inner = stated ? timeButton(stated.start_s, piece.text, piece.text) : piece.text;
    if (!classes.length) return visible(piece.text);
    const mark = create(piece.tag ? "span" : "mark", { class: classes.join(" ") }, inner);
    if (claim && "event" in claim) mark.title = claim.event === null ? "matches no event" : `matches event ${claim.event + 1}`;
    if (claim) mark.dataset.t = String(claim.start_s);
    return mark;
  });
  return create("div", { class: "reasoning" }, ...pieces);
}

function drawScores(text, consistency) {
  const scores = text.scores ?? {};
  const known = [...Object.keys(SCORES).filter((name) => name in scores), ...Object.keys(scores).filter((name) => !Object.hasOwn(SCORES, name))];
  const rows = known.map((name) => {
    const { value, status, detail } = scores[name] ?? {};
    const figure = Number.isFinite(value) ? (100 * value).toFixed(value % 1 ? 1 : 0) : (textOf(status) || "no value");
    return drawPair(SCORES[name] ?? name, create("b", {}, figure), " ", create("span", { class: "detail" }, textOf(detail)));
  });
  const how = HOW[consistency.how] ? `by ${HOW[consistency.how]}, ` : "";
  if (consistency.judge) rows.push(drawPair("Judged", `${how}${consistency.judge === "rules" ? "by rules" : textOf(consistency.judge)}`));
  if (text.words) rows.push(drawPair("Words", `${textOf(text.words.think)} of reasoning, ${textOf(text.words.answer)} of answer`));
  if (text.log) rows.push(drawPair("From", `${textOf(text.log.file)}, row ${textOf(text.log.row)}`));
  return create("dl", { class: "scores" }, ...rows);
}

const drawPair = (term, ...meaning) => create("div", {}, create("dt", {}, term), create("dd", {}, ...meaning));

// A time that is selected is where the clip goes.
function followClip(box) {
  const video = box.querySelector("video");
  box.classList.toggle("has-clip", Boolean(video));
  for (const timed of box.querySelectorAll("[data-t]")) {
    if (timed.tagName === "BUTTON") timed.disabled = !video;
    timed.addEventListener("click", (event) => {
      if (!video) return;
      event.stopPropagation();
      const seconds = Number(timed.dataset.t);
      const go = () => {
        video.currentTime = Number.isFinite(video.duration) ? Math.min(seconds, video.duration) : seconds;
      };
      video.pause();
      if (video.readyState >= HTMLMediaElement.HAVE_METADATA) go();
      else video.addEventListener("loadedmetadata", go, { once: true });
    });
  }
}
