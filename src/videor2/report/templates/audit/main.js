// The browser of samples: filters above, table below, the open sample beside it.

async function openBrowser() {
  const byId = (id) => document.getElementById(id);
  const box = document.querySelector(".browser");
  const stateWords = Object.fromEntries(JSON.parse(box.dataset.states));
  const progress = byId("progress");
  if (typeof DecompressionStream === "undefined") {
    progress.textContent = "This browser is too old to read the samples; any of 2023 or later can.";
    return;
  }
  progress.textContent = "Reading the samples …";
  const samples = await readSamples();
  const texts = makeTexts(samples);
  const facets = makeFacets(samples, stateWords);
  const query = byId("query");
  const detail = byId("detail");
  let open = -1;
  let found = null; // marks of the samples that the search found; null where nothing is searched for
  let searches = 0;

  const table = makeTable({ head: byId("head"), rows: byId("rows"), spacer: byId("spacer") }, columnsOf(samples, stateWords), (i) => show(i));
  const drawButtons = drawFacets(byId("facets"), facets, () => filter());

  const filter = () => {
    const matched = applyFilters(samples.n, facets, found);
    byId("matched").textContent = matched.length === samples.n ? `${samples.n.toLocaleString("en")} samples` : `${matched.length.toLocaleString("en")} of ${samples.n.toLocaleString("en")}`;
    byId("clear").hidden = !query.value && !facets.some((facet) => facet.chosen.size);
    drawButtons();
    table.show(matched);
    writeAddress(samples, facets, query.value, open);
  };
  const search = async () => {
    const turn = ++searches;
    if (query.value.trim()) {
      byId("matched").textContent = "Searching …";
      const marks = await searchTexts(samples, texts, query.value, () => turn === searches);
      if (!marks) return;
      found = marks;
    } else {
      found = null;
    }
    filter();
  };
  const show = async (i) => {
    open = i;
    writeAddress(samples, facets, query.value, open);
    byId("split").classList.toggle("open", i >= 0);
    if (i < 0) {
      detail.hidden = true;
      detail.replaceChildren();
      table.draw();
      return;
    }
    const same = [i, ...sameSamples(samples, i).filter((j) => j !== i)];
    const shown = await Promise.all(same.slice(0, MOST_PANES).map(async (j) => ({ i: j, text: await texts.of(j) })));
    if (open !== i) return;
    drawDetail(detail, samples, stateWords, shown, same.length, close);
    detail.hidden = false;
    detail.scrollTop = 0;
    table.mark(i);
  };
  const close = () => {
    show(-1);
    byId("rows").focus();
  };
  const follow = async () => {
    const address = readAddress(samples, facets);
    query.value = address.query;
    open = address.sample;
    await search();
    await show(address.sample);
    if (address.named) box.scrollIntoView();
  };

  // Whoever goes there will search.
  query.addEventListener("focus", () => texts.readAll(), { once: true });
  let waiting = 0;
  query.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(search, 120);
  });
  byId("clear").addEventListener("click", () => {
    query.value = "";
    for (const facet of facets) facet.chosen.clear();
    search();
    query.focus();
  });
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  window.addEventListener("hashchange", () => {
    if (!isPlace(location.hash)) follow();
  });
  document.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const typing = event.target === query;
    const inTable = event.target === byId("rows");
    const aside = event.target.closest?.("video, summary, .opened button, .facet button");
    let used = true;
    if (event.key === "/" && !typing) {
      query.focus();
      query.select();
    } else if (event.key === "Escape" && typing && query.value) {
      query.value = "";
      search();
    } else if (event.key === "Escape" && open >= 0) {
      close();
    } else if (event.key === "Enter" && typing) {
      clearTimeout(waiting);
      search().then(() => byId("rows").focus());
    } else if (event.key === "Enter" && inTable) {
      table.select();
      detail.focus();
    } else if (event.key === "ArrowDown" && typing) {
      byId("rows").focus();
      table.move(event.key);
    } else {
      used = inTable && !aside && table.move(event.key);
    }
    if (used) event.preventDefault();
  });

  progress.textContent = samples.n ? "" : "The run has no records.";
  byId("filters").hidden = byId("split").hidden = samples.n === 0;
  if (samples.n) await follow();
  document.documentElement.dataset.samples = String(samples.n);
}

openBrowser().catch((error) => {
  document.getElementById("progress").textContent = `The samples cannot be read: ${error.message}`;
  throw error;
});
