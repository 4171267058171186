// A node's worker that counts the frames that it sends to others, by their kind, in the shared memory of `workerData`.

import { MessagePort, workerData } from "node:worker_threads";

const counts = new Int32Array(workerData);
const VERSION = 2;

const { postMessage } = MessagePort.prototype;
MessagePort.prototype.postMessage = function (data, ...rest) {
  if (data instanceof ArrayBuffer) {
    const [version, kind] = new Uint8Array(data);
    if (version === VERSION) Atomics.add(counts, kind, 1);
  }
  return postMessage.call(this, data, ...rest);
};

await import("quorate/shards/worker");
