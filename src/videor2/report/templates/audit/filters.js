// Filters: facets (a column with few values, each with its count) and a search of the texts.

const VERDICTS = {
  consistent: { sign: "=", kind: "good" },
  inconsistent: { sign: "≠", kind: "bad" },
  undetermined: { sign: "?", kind: "" },
  "no reasoning": { sign: "–", kind: "" },
  "no answer": { sign: "–", kind: "" },
  error: { sign: "!", kind: "bad" },
};

const ANSWERS = ["right", "wrong", "in part", "not scored"];
const PAIRS = ["right, inconsistent", "wrong, consistent", "right, consistent", "wrong, inconsistent"];

const answerCode = (accuracy) => (Number.isNaN(accuracy) ? 3 : accuracy >= 1 ? 0 : accuracy <= 0 ? 1 : 2);

// A facet: `codes` has a number for each sample, `values` what they stand for; what is not in `order` is not offered.
function makeFacets(samples, stateWords) {
  const { names, n } = samples;
  const answers = Uint32Array.from(samples.accuracy, answerCode);
  const pairs = new Uint32Array(n).fill(PAIRS.length);
  for (let i = 0; i < n; i++) {
    if (answers[i] > 1) continue;
    const pair = PAIRS.indexOf(`${ANSWERS[answers[i]]}, ${nameOf(samples, "verdict", i)}`);
    if (pair >= 0) pairs[i] = pair;
  }
  const coded = (key, title, first = [], words = {}) => {
    const known = first.map((value) => names[key].indexOf(value)).filter((code) => code >= 0);
    const others = names[key].map((_, code) => code).filter((code) => !known.includes(code));
    const labels = names[key].map((value) => (Object.hasOwn(words, value) ? words[value] : value) || "(none)");
    return { key, title, codes: samples[key], values: names[key], labels, order: [...known, ...others] };
  };
  const facets = [
    coded("verdict", "Reasoning", Object.keys(VERDICTS)),
    { key: "answer", title: "Answer", codes: answers, values: ANSWERS, labels: ANSWERS, order: [0, 1, 2, 3] },
    { key: "pair", title: "Both", codes: pairs, values: PAIRS, labels: PAIRS, order: [0, 1, 2, 3] },
    coded("state", "Form", Object.keys(stateWords), stateWords),
    coded("run", "Run"),
    coded("benchmark", "Benchmark"),
    coded("task", "Task"),
    coded("judge", "Judge"),
  ];
  for (const facet of facets) {
    facet.chosen = new Set();
    const there = new Set(facet.codes);
    facet.order = facet.order.filter((code) => there.has(code));
  }
  return facets;
}

// Which samples pass all filters, and for each facet how many samples each value would have, given the other filters.
function applyFilters(n, facets, found) {
  const misses = new Uint8Array(n);
  const active = facets.filter((facet) => facet.chosen.size);
  for (const { codes, chosen } of active) {
    for (let i = 0; i < n; i++) if (!chosen.has(codes[i])) misses[i]++;
  }
  if (found) for (let i = 0; i < n; i++) if (!found[i]) misses[i] += 99;
  for (const facet of facets) {
    const { codes, chosen } = facet;
    facet.counts = new Uint32Array(facet.values.length + 1);
    for (let i = 0; i < n; i++) {
      if (misses[i] === 0 || (misses[i] === 1 && chosen.size && !chosen.has(codes[i]))) facet.counts[codes[i]]++;
    }
  }
  const matched = [];
  for (let i = 0; i < n; i++) if (misses[i] === 0) matched.push(i);
  return matched;
}

// A mark for each sample whose question, reasoning or id has the words, in any case; null where a later search began.
async function searchTexts(samples, texts, words, isLatest) {
  const pattern = new RegExp(words.trim().replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&").replace(/\s+/g, "\\s+"), "iu");
  const found = new Uint8Array(samples.n);
  let i = 0;
  for (let k = 0; k < texts.chunks; k++) {
    for (const { question, response } of await texts.chunk(k)) {
      found[i] = pattern.test(response ?? "") || pattern.test(question ?? "") || pattern.test(samples.id[i]) ? 1 : 0;
      i++;
    }
    if (!isLatest()) return null;
  }
  return found;
}

// Buttons for all facets; `changed` is called after a choice.
function drawFacets(box, facets, changed) {
  const draw = () => {
    const focused = document.activeElement?.dataset?.value;
    box.replaceChildren(...facets.filter(isOffered).map(drawFacet));
    if (focused !== undefined) box.querySelector(`[data-value="${CSS.escape(focused)}"]`)?.focus();
  };
  const drawFacet = (facet) => {
    const buttons = facet.order
      .filter((code) => facet.counts[code] || facet.chosen.has(code) || facet.key !== "task")
      .map((code) => {
        const pressed = facet.chosen.has(code);
        const label = create("span", { class: "label" }, facet.labels[code]);
        const button = create(
          "button",
          { type: "button", "aria-pressed": String(pressed), "data-facet": facet.key, "data-value": `${facet.key}:${code}` },
          label,
          create("span", { class: "count" }, facet.counts[code].toLocaleString("en")),
        );
        if (!facet.counts[code]) button.classList.add("empty");
        button.addEventListener("click", () => {
          if (!facet.chosen.delete(code)) facet.chosen.add(code);
          changed();
        });
        return button;
      });
    const title = create("span", { class: "title" }, facet.title);
    const values = create("div", { class: "values" }, ...buttons);
    return create("div", { class: "facet", role: "group", "aria-label": facet.title }, title, values);
  };
  return draw;
}

// Tasks are offered once few are left; a facet with one value has nothing to choose.
function isOffered(facet) {
  if (facet.chosen.size) return true;
  if (facet.key === "task") {
    const left = facet.order.filter((code) => facet.counts[code]).length;
    return left > 1 && left <= 40;
  }
  return facet.order.length > 1;
}
