/*
Runs the networks, away from the page, which stays responsive. Takes one message at a time:

{ id, model, runtime, width, height, channels, pixels }   model, runtime: { file, bytes }; pixels: Uint8Array, by rows

and answers with messages that have the same id:

{ id, part, bytes }                            how much of the files has arrived, 0 to 1, and their size
{ id, isReady }                                once, when the model is loaded; without `pixels` that is all
{ id, width, height, channels, pixels, seconds, device }    device: CPU or GPU
{ id, wrong, isFatal }                         a sentence; isFatal: this worker is of no more use
*/

import * as ort from "./runtime/ort.js?{{version}}";

ort.env.wasm.numThreads = 1; // more need headers that static hosts do not send
ort.env.wasm.wasmPaths = { mjs: new URL("./runtime/ort-wasm.js?{{version}}", import.meta.url).href };
ort.env.logLevel = "error";
const sessions = new Map();
let device = null; // CPU or GPU

async function foundDevice() {
  if (!{{has_gpu}}) return "CPU";
  return (await navigator.gpu?.requestAdapter().catch(() => null)) ? "GPU" : "CPU";
}

async function fetched(files, tell) {
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  let arrived = 0;
  async function one({ file }) {
    const parts = await partsOf(file, (size) => {
      arrived += size;
      tell(Math.min(1, arrived / total), total);
    });
    return new Uint8Array(await new Blob(parts).arrayBuffer());
  }
  return Promise.all(files.map(one));
}

/* The parts of a file, as they arrive; `heard` gets the size of each. */
async function partsOf(file, heard) {
  const parts = [];
  try {
    const answer = await fetch(file);
    if (!answer.ok) throw new Unreadable(file);
    const reader = answer.body.getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      parts.push(part.value);
      heard(part.value.length);
    }
  } catch (error) {
    throw error instanceof Unreadable ? error : new Unreached();
  }
  return parts;
}

class Unreadable extends Error {}

class Unreached extends Error {}

async function sessionOf(model, runtime, tell) {
  if (!sessions.has(model.file)) {
    const isFirst = !ort.env.wasm.wasmBinary;
    const [network, binary] = await fetched(isFirst ? [model, runtime] : [model], tell);
    if (isFirst) ort.env.wasm.wasmBinary = binary;
    device ??= await foundDevice();
    const executionProviders = [device === "GPU" ? "webgpu" : "wasm"];
    const options = { executionProviders, logSeverityLevel: 3 }; // errors
    sessions.set(model.file, await ort.InferenceSession.create(network, options));
  }
  return sessions.get(model.file);
}

async function translated(session, { width, height, channels, pixels }) {
  const began = performance.now();
  const image = new ort.Tensor("uint8", pixels, [1, height, width, channels]);
  const output = (await session.run({ image })).translated;
  const [, high, wide, deep] = output.dims;
  const seconds = (performance.now() - began) / 1000;
  return { width: wide, height: high, channels: deep, pixels: new Uint8Array(output.data), seconds, device };
}

function sentenceOf(error) {
  if (error instanceof Unreadable)
    return `The file ${error.message.replace(/\?.*/, "")} could not be loaded. Is it on the server, next to this page?`;
  if (error instanceof Unreached) return "The network could not be loaded. Check the connection, and try again.";
  if (/alloc|memory|out of bounds|table index/i.test(String(error?.message ?? error)))
    return "There is not enough memory for this image in this browser. Choose a smaller one.";
  console.error(error);
  return "This browser could not run the network. Its console has the reason.";
}

async function work(data) {
  const { id, model, runtime, pixels } = data;
  const session = await sessionOf(model, runtime, (part, bytes) => self.postMessage({ id, part, bytes }));
  self.postMessage({ id, isReady: true });
  if (!pixels) return;
  const answer = await translated(session, data);
  self.postMessage({ id, ...answer }, [answer.pixels.buffer]);
}

self.onmessage = async ({ data }) => {
  const { id } = data;
  try {
    try {
      await work(data);
    } catch (error) {
      if (device !== "GPU" || error instanceof Unreadable || error instanceof Unreached) throw error;
      device = "CPU"; // what GPUs refuse may still be computed without them
      sessions.clear();
      await work(data);
    }
  } catch (error) {
    const isFatal = !(error instanceof Unreadable || error instanceof Unreached);
    self.postMessage({ id, wrong: sentenceOf(error), isFatal });
  }
};
