/* Requests to the server: translations, and which checkpoints translate. */

const WAITS = [1, 2, 4, 8]; // seconds before asking once more of a server that is busy
const PATIENCE = 0.25; // seconds between looks at whether somebody still waits
const SILENT = "The server does not answer. Is it still running?";

/* {blob, step, notes, seconds} of a translation, or {wrong}, a sentence. A server that is busy is asked again, unless
`isDropped` says that nobody waits for the answer: then it is null. */
async function ask(run, direction, file, busy, isDropped) {
  if (file.size > report.max_mb * 2 ** 20) return { wrong: `The file has more than ${report.max_mb} MB.` };
  const sent = {
    method: "POST",
    body: file,
    headers: { "Content-Type": file.type.startsWith("image/") ? file.type : "application/octet-stream" },
  };
  const began = performance.now();
  for (const wait of [...WAITS, null]) {
    try {
      const answer = await fetch(`translate?${new URLSearchParams({ run: run.name, direction })}`, sent);
      if (answer.ok) {
        return {
          blob: await answer.blob(),
          step: Number(answer.headers.get("Translation-Step")),
          notes: JSON.parse(answer.headers.get("Translation-Notes") ?? "[]"),
          seconds: (performance.now() - began) / 1000,
        };
      }
      if (answer.status !== 503 || wait === null || run.step === null) return { wrong: (await answer.json()).error };
    } catch {
      return { wrong: SILENT };
    }
    busy();
    for (let passed = 0; passed < wait; passed += PATIENCE) {
      if (isDropped()) return null;
      await new Promise((done) => setTimeout(done, 1000 * PATIENCE));
    }
  }
}

/* A function that runs `work` of its newest argument: while it is at work, earlier arguments are dropped. */
function newestOnly(work) {
  let waiting = null,
    isBusy = false;
  return async (argument) => {
    waiting = { argument };
    if (isBusy) return;
    isBusy = true;
    while (waiting) {
      const { argument } = waiting;
      waiting = null;
      await work(argument, () => waiting !== null);
    }
    isBusy = false;
  };
}

/* Calls `changed(run, step)` of each run whose checkpoint is replaced by a newer one; `every`: seconds. */
function watchSteps(runs, changed, every = 5) {
  async function look() {
    if (document.hidden) return;
    try {
      const { runs: now } = await (await fetch("healthz")).json();
      for (const { name, step } of now) {
        const run = runs.find((each) => each.name === name);
        if (!run || run.step === step) continue;
        run.step = step;
        changed(run);
      }
    } catch {
      return; // the next translation says it
    }
  }
  setInterval(look, 1000 * every);
  document.addEventListener("visibilitychange", look);
}
