// Where the deciding sentence and the timestamped claims stand in a response.

const STAMP = /(?<![\d:.])(?:(\d{1,2}):)?(\d{1,3}):(\d{2}(?:\.\d+)?)(?![\d:])|(?<![\d:.])(\d+(?:\.\d+)?)(?=\s*(?:s\b|secs?\b|seconds?\b|-second)|\s*(?:-|–|—|to|and)\s*\d+(?:\.\d+)?\s*(?:s\b|secs?\b|seconds?\b))/g;

function stampsIn(text) {
  return [...text.matchAll(STAMP)].map((match) => ({
    begin: match.index,
    end: match.index + match[0].length,
    seconds: match[4] ? Number(match[4]) : Number(match[1] ?? 0) * 3600 + Number(match[2]) * 60 + Number(match[3]),
  }));
}

// The span of some words in a text, whatever the white space between them; `last` for their last occurrence.
function spanOf(words, text, last = false) {
  const exact = last ? text.lastIndexOf(words) : text.indexOf(words);
  if (exact >= 0) return { begin: exact, end: exact + words.length };
  const pattern = words.trim().split(/\s+/).map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&")).join("\\s+");
  const found = pattern ? [...text.matchAll(new RegExp(pattern, "giu"))].at(last ? -1 : 0) : undefined;
  return found ? { begin: found.index, end: found.index + found[0].length } : null;
}

// The reasoning ends where it is closed, or where the answer begins.
function reasoningEnd(text) {
  const closed = text.search(/<\s*\/\s*(think|thinking|thought)\s*>(?![\s\S]*<\s*\/\s*(think|thinking|thought)\s*>)/i);
  if (closed >= 0) return closed;
  const answer = text.search(/<\s*answer\s*>(?![\s\S]*<\s*answer\s*>)/i);
  return answer >= 0 ? answer : text.length;
}

// Each claim with the span of its time as written (`stamp`) and of its words (`words`), either may be missing.
function placeClaims(text, claims) {
  const stamps = stampsIn(text);
  let from = 0;
  return claims.map((claim) => {
    const words = claim.sentence ? spanOf(claim.sentence, text.slice(from)) : null;
    const at = words ? { begin: words.begin + from, end: words.end + from } : null;
    const distance = (stamp) => (at ? Math.max(at.begin - stamp.end, stamp.begin - at.end, 0) : Math.max(from - stamp.end, 0));
    const same = stamps.filter((stamp) => !stamp.used && Math.abs(stamp.seconds - claim.start_s) < 0.05 && distance(stamp) < 300);
    const stamp = same.sort((a, b) => distance(a) - distance(b) || a.begin - b.begin)[0];
    if (!stamp) return { claim, stamp: null, words: at };
    stamp.used = true;
    const until = stamps.find((other) => other.begin > stamp.end && other.begin - stamp.end < 12 && Math.abs(other.seconds - claim.end_s) < 0.05);
    if (until && claim.end_s > claim.start_s) until.used = true;
    const end = until && claim.end_s > claim.start_s ? until.end : stamp.end;
    from = Math.min(stamp.begin, at?.begin ?? stamp.begin);
    return { claim, stamp: { begin: stamp.begin, end }, words: at };
  });
}

// The text cut into pieces {text, tag, evidence, claim, stamp}: `claim` is an index, `stamp` the claim whose time it is.
function cut(text, evidence, placed) {
  const tags = [...text.matchAll(/<\s*\/?\s*(?:think|thinking|thought|answer)\s*>/gi)].map((m) => ({ begin: m.index, end: m.index + m[0].length }));
  const edges = new Set([0, text.length]);
  for (const span of [evidence, ...tags, ...placed.flatMap((p) => [p.stamp, p.words])]) {
    if (span) edges.add(span.begin).add(span.end);
  }
  const at = [...edges].sort((a, b) => a - b);
  const within = (span, begin) => Boolean(span) && span.begin <= begin && begin < span.end;
  return at.slice(0, -1).map((begin, k) => ({
    text: text.slice(begin, at[k + 1]),
    tag: tags.some((span) => within(span, begin)),
    evidence: within(evidence, begin),
    claim: placed.findIndex((p) => within(p.stamp, begin) || within(p.words, begin)),
    stamp: placed.findIndex((p) => within(p.stamp, begin)),
  }));
}
