/* The networks, in a worker. Of several images that are asked for while it works, only the last is translated. */

/*
    const network = makeNetwork({ runtime, script, loading: (part, bytes) => ..., ready: (isTranslating) => ... });
    network.load(model);
    const answer = await network.translate(model, image);

model, runtime   { file, bytes }
script           the file of the worker
image            { width, height, channels, pixels }
answer           the same with `seconds` and `device`; { wrong }, a sentence; or null if another image was asked for since
*/
function makeNetwork({ runtime, script, loading, ready }) {
  const state = { worker: null, running: null, waiting: null, turn: 0 };

  function started() {
    const worker = new Worker(script, { type: "module" });
    worker.addEventListener("message", ({ data }) => hear(data));
    worker.addEventListener("error", () => {
      if (worker !== state.worker) return;
      const wrong = "This browser cannot run the network: it is too old, or blocks it.";
      if (state.running) hear({ id: state.running.id, wrong, isFatal: true });
      else end();
    });
    return worker;
  }
  function end() {
    state.worker.terminate();
    state.worker = null;
  }
  function hear({ id, part, bytes, isReady, ...answer }) {
    if (!state.running || id !== state.running.id) return;
    if (part !== undefined) return loading(part, bytes);
    if (isReady) {
      const isTranslating = Boolean(state.running.message.pixels);
      ready(isTranslating);
      if (isTranslating) return;
    }
    if (answer.isFatal) end();
    const { done } = state.running;
    state.running = null;
    done(isReady ? {} : answer);
    next();
  }
  function next() {
    if (state.running || !state.waiting) return;
    state.running = state.waiting;
    state.waiting = null;
    state.worker ??= started();
    const { id, message } = state.running;
    state.worker.postMessage({ id, ...message });
  }
  function ask(message) {
    return new Promise((done) => {
      state.waiting?.done(null);
      state.waiting = { id: ++state.turn, message: { ...message, runtime }, done };
      next();
    });
  }
  return {
    load: (model) => ask({ model }),
    translate: (model, image) => ask({ model, ...image }),
  };
}
