// The data of the page: what was packed as JSON, gzip and base64 comes back as values. It only ever becomes text.

const elementsOf = (kind) => [...document.querySelectorAll(`script.${kind}`)];

function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

function unpack(element) {
  const packed = new Blob([bytesOf(element.textContent)]).stream();
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).json();
}

const CODED = ["run", "benchmark", "task", "verdict", "state", "judge"];

// The index of all samples as columns. A coded column holds numbers; `names` says what they stand for.
async function readSamples() {
  const [names, ...parts] = await Promise.all([...elementsOf("names"), ...elementsOf("index")].map(unpack));
  const n = parts.reduce((sum, part) => sum + part.id.length, 0);
  const samples = { n, names, id: [], question: [], accuracy: new Float32Array(n), clip: new Int32Array(n) };
  for (const column of CODED) samples[column] = new Uint32Array(n);
  let at = 0;
  for (const part of parts) {
    for (const column of CODED) samples[column].set(part[column], at);
    samples.clip.set(part.clip, at);
    for (let i = 0; i < part.id.length; i++) {
      samples.id.push(part.id[i]);
      samples.question.push(part.question[i]);
      samples.accuracy[at + i] = part.accuracy[i] ?? NaN;
    }
    at += part.id.length;
  }
  samples.chunk = parts.length ? parts[0].id.length : 1;
  return samples;
}

const nameOf = (samples, column, i) => samples.names[column][samples[column][i]];

// The texts of samples, unpacked when they are first asked for.
function makeTexts(samples) {
  const elements = elementsOf("texts");
  const unpacked = new Map();
  const chunk = (k) => {
    if (!unpacked.has(k)) unpacked.set(k, unpack(elements[k]));
    return unpacked.get(k);
  };
  return {
    chunks: elements.length,
    chunk,
    readAll: async () => {
      for (let k = 0; k < elements.length; k++) await chunk(k);
    },
    of: async (i) => (await chunk(Math.floor(i / samples.chunk)))[i % samples.chunk],
  };
}
