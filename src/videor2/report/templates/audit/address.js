// The filters and the open sample are in the page's address, so that a link shows the same.

const encode = (text) => encodeURIComponent(text.toWellFormed ? text.toWellFormed() : text.replace(/[\ud800-\udfff]/g, "?"));

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// A sample's own name: run, benchmark, task, id and, where several share these, which of them.
function sampleName(samples, i) {
  const parts = ["run", "benchmark", "task"].map((column) => nameOf(samples, column, i));
  const earlier = sameSamples(samples, i, true).filter((j) => j < i).length;
  return [...parts, samples.id[i], ...(earlier ? [String(earlier)] : [])].map(encode).join("/");
}

function findSample(samples, name) {
  const [run, benchmark, task, id, earlier = "0"] = name.split("/").map(decode);
  const first = samples.id.findIndex(
    (other, i) =>
      encode(other) === encode(id ?? "") &&
      encode(nameOf(samples, "run", i)) === encode(run) &&
      encode(nameOf(samples, "benchmark", i)) === encode(benchmark) &&
      encode(nameOf(samples, "task", i)) === encode(task),
  );
  return first < 0 ? -1 : (sameSamples(samples, first, true)[Number(earlier)] ?? first);
}

// All responses to the question of a sample; with `sameRun` those of its own run.
function sameSamples(samples, i, sameRun = false) {
  const { id, benchmark, task, run } = samples;
  const same = [];
  for (let j = 0; j < samples.n; j++) {
    if (id[j] === id[i] && benchmark[j] === benchmark[i] && task[j] === task[i] && (!sameRun || run[j] === run[i])) same.push(j);
  }
  return same;
}

function writeAddress(samples, facets, query, open) {
  const parts = facets
    .filter((facet) => facet.chosen.size)
    .map((facet) => `${facet.key}=${[...facet.chosen].map((code) => encode(facet.values[code])).join(",")}`);
  if (query) parts.push(`q=${encode(query)}`);
  if (open >= 0) parts.push(`sample=${sampleName(samples, open)}`);
  if (parts.length || location.hash.includes("=")) history.replaceState(null, "", `#${parts.join("&")}`);
}

// `#samples` is a place in the page and no filter.
const isPlace = (hash) => hash.length > 1 && !hash.includes("=");

// Sets the facets as the address says; gives the query and the open sample.
function readAddress(samples, facets) {
  const hash = isPlace(location.hash) ? "" : location.hash.slice(1);
  const fields = new Map(hash.split("&").filter(Boolean).map((part) => [part.split("=", 1)[0], part.slice(part.indexOf("=") + 1)]));
  for (const facet of facets) {
    const wanted = (fields.get(facet.key) ?? "").split(",").filter((part) => part || fields.has(facet.key)).map((part) => encode(decode(part)));
    facet.chosen = new Set(facet.order.filter((code) => wanted.includes(encode(facet.values[code]))));
  }
  const sample = fields.has("sample") ? findSample(samples, fields.get("sample")) : -1;
  return { query: decode(fields.get("q") ?? ""), sample, named: fields.size > 0 };
}
