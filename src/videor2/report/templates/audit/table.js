// The table of samples: only the rows in sight are in the page, whatever their number.

const ROW_HEIGHT = 27;
const MARGIN = 10;

// An element; strings among its children become text, with control characters made visible.
function create(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children.map((child) => (typeof child === "string" ? visible(child) : child)));
  return element;
}

const visible = (text) =>
  text.replace(/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/g, (c) => (c === "\x7f" ? "\u2421" : String.fromCharCode(0x2400 + c.charCodeAt(0))));

function columnsOf(samples, stateWords) {
  const many = (column) => samples.names[column].length > 1;
  const width = (texts, most) => `${Math.min(Math.max(4, ...texts.map((text) => text.length)) + 1, most)}ch`;
  const longest = (texts) => texts.reduce((a, b) => (b.length > a.length ? b : a), "");
  const wheres = samples.names.benchmark.map((name) => `${name} / ${longest(samples.names.task)}`);
  const where = (i) => [nameOf(samples, "benchmark", i), nameOf(samples, "task", i)].filter(Boolean).join(" / ");
  const verdict = (i) => VERDICTS[nameOf(samples, "verdict", i)] ?? { sign: "", kind: "" };
  const answer = (i) => ANSWERS[answerCode(samples.accuracy[i])];
  const state = (i) => nameOf(samples, "state", i);
  return [
    { key: "sign", title: "", text: (i) => verdict(i).sign, kind: (i) => verdict(i).kind, shown: true },
    { key: "verdict", title: "Reasoning", text: (i) => nameOf(samples, "verdict", i), kind: (i) => verdict(i).kind, shown: true },
    {
      key: "answer",
      title: "Answer",
      text: (i) => (answer(i) === "in part" ? `${(100 * samples.accuracy[i]).toFixed(0)} %` : answer(i) === "not scored" ? "–" : answer(i)),
      kind: (i) => ({ right: "good", wrong: "bad" })[answer(i)] ?? "",
      shown: true,
    },
    { key: "run", title: "Run", text: (i) => nameOf(samples, "run", i), width: width(samples.names.run, 24), shown: many("run") },
    { key: "where", title: "Benchmark / task", text: where, width: width(wheres, 28), shown: many("benchmark") || many("task") },
    { key: "id", title: "Id", text: (i) => samples.id[i], width: width([longest(samples.id)], 18), shown: true },
    { key: "question", title: "Question", text: (i) => samples.question[i], shown: true },
    { key: "state", title: "Form", text: (i) => (state(i) === "ok" ? "" : stateWords[state(i)] ?? state(i)), shown: many("state") },
    { key: "judge", title: "Judge", text: (i) => nameOf(samples, "judge", i), width: width(samples.names.judge, 18), shown: many("judge") },
  ].filter((column) => column.shown);
}

// `rows` scrolls, `spacer` inside it is as high as all rows. `choose(i)` is called with a sample that was selected.
function makeTable({ head, rows, spacer }, columns, choose) {
  let order = [];
  let cursor = -1; // a place in `order`
  const drawn = new Map();
  head.replaceChildren(...columns.map(({ key, title }) => create("span", { class: `cell ${key}` }, title)));
  const widths = columns.map(({ key, width }) => width ?? `var(--${key})`).join(" ");
  rows.parentElement.style.setProperty("--columns", widths);
  rows.parentElement.classList.toggle("several", columns.some(({ key }) => key === "run"));
  rows.setAttribute("aria-colcount", String(columns.length));

  const seen = () => rows.clientHeight - ROW_HEIGHT; // the head stays on top

  const drawRow = (place) => {
    const i = order[place];
    const cells = columns.map(({ key, text, kind }) =>
      create("span", { class: `cell ${key} ${kind?.(i) ?? ""}`, role: "gridcell" }, text(i)),
    );
    const row = create("div", { class: "row", role: "row", id: `row-${place}`, "aria-rowindex": String(place + 1) }, ...cells);
    row.style.top = `${place * ROW_HEIGHT}px`;
    row.addEventListener("click", () => select(place));
    return row;
  };
  const draw = () => {
    const first = Math.max(0, Math.floor(rows.scrollTop / ROW_HEIGHT) - MARGIN);
    const last = Math.min(order.length, Math.ceil((rows.scrollTop + seen()) / ROW_HEIGHT) + MARGIN);
    for (const [place, row] of drawn) {
      if (place >= first && place < last) continue;
      row.remove();
      drawn.delete(place);
    }
    for (let place = first; place < last; place++) {
      if (!drawn.has(place)) {
        drawn.set(place, drawRow(place));
        spacer.append(drawn.get(place));
      }
      drawn.get(place).setAttribute("aria-selected", String(place === cursor));
    }
    if (drawn.has(cursor)) rows.setAttribute("aria-activedescendant", `row-${cursor}`);
    else rows.removeAttribute("aria-activedescendant");
  };
  const reveal = () => {
    const top = cursor * ROW_HEIGHT;
    if (top < rows.scrollTop) rows.scrollTop = top;
    else if (top + ROW_HEIGHT > rows.scrollTop + seen()) rows.scrollTop = top + ROW_HEIGHT - seen();
    draw();
  };
  const select = (place) => {
    cursor = place;
    reveal();
    choose(order[place]);
  };

  rows.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(draw).observe(rows);
  return {
    // Show these samples; the cursor stays on its sample if that is still there.
    show(samples) {
      const current = order[cursor];
      order = samples;
      cursor = current === undefined ? -1 : order.indexOf(current);
      spacer.style.height = `${order.length * ROW_HEIGHT}px`;
      rows.setAttribute("aria-rowcount", String(order.length));
      for (const row of drawn.values()) row.remove();
      drawn.clear();
      if (cursor < 0) rows.scrollTop = 0;
      else reveal();
      draw();
    },
    // Put the cursor on a sample without selecting it.
    mark(i) {
      cursor = order.indexOf(i);
      if (cursor >= 0) reveal();
      else draw();
    },
    move(key) {
      const page = Math.max(1, Math.floor(seen() / ROW_HEIGHT) - 1);
      const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
      if (!(key in steps) || !order.length) return false;
      const from = cursor < 0 ? (steps[key] > 0 ? -1 : 0) : cursor;
      select(Math.min(Math.max(from + steps[key], 0), order.length - 1));
      return true;
    },
    select: () => (cursor >= 0 ? choose(order[cursor]) : order.length && select(0)),
    draw,
  };
}
