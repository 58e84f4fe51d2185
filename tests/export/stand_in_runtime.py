"""A package that stands in for onnxruntime-web: its networks invert what they take.

An image that is red waits until the server has a file called released.
"""

import io
import json
import tarfile

SCRIPT = """
const PROVIDERS = ["wasm"];
export const env = { wasm: {} };
export class Tensor {
  constructor(type, data, dims) {
    Object.assign(this, { type, data, dims });
  }
}
export class InferenceSession {
  static async create(network, options) {
    const text = new TextDecoder().decode(network);
    const [provider] = options.executionProviders;
    const isAsked = env.wasm.wasmBinary && env.wasm.numThreads === 1 && PROVIDERS.includes(provider);
    if (!isAsked) throw new Error("not asked for as it should be");
    return new InferenceSession(text, provider);
  }
  constructor(text, provider) {
    Object.assign(this, { text, provider });
  }
  async run({ image }) {
    if (this.provider === "webgpu" && image.dims[2] === 15) throw new Error("too large for this GPU");
    if (image.dims[2] === 13) throw new Error("std::bad_alloc");
    if (image.dims[2] === 14) throw new Error("a secret");
    const isRed = image.data[0] === 255 && image.data[1] === 0;
    while (isRed && !(await fetch("released")).ok) await new Promise((done) => setTimeout(done, 50));
    const isKept = this.text.startsWith("keep");
    return { translated: new Tensor("uint8", image.data.map((value) => (isKept ? value : 255 - value)), image.dims) };
  }
}
"""
FILES = {
    "package.json": json.dumps({"name": "onnxruntime-web", "version": "0.0.1"}),
    "dist/ort.wasm.min.mjs": SCRIPT,
    "dist/ort-wasm-simd-threaded.mjs": "export default 0;\n",
    "dist/ort-wasm-simd-threaded.wasm": "a binary",
}
WITH_GPU = FILES | {
    "dist/ort.webgpu.min.mjs": SCRIPT.replace('["wasm"]', '["wasm", "webgpu"]'),
    "dist/ort-wasm-simd-threaded.jsep.mjs": "export default 1;\n",
    "dist/ort-wasm-simd-threaded.jsep.wasm": "a larger binary",
}


def write(folder, files=None):
    """Writes the package as a folder."""
    for name, text in (files or WITH_GPU).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def archive(files=None):
    """The bytes of its .tgz, as npm pack makes it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, text in (files or FILES).items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()
