/**
 * A storage that lives in the owner's thread and is used by a node's worker: one request at a time over a port.
 * This is how a user's own storage, which cannot be posted to a worker, serves a node.
 */

import { fromPlain, type PlainError, toPlain } from "../errors.js";
import type { KeyRange, Storage, StoredRecord } from "./storage.js";

type Request =
  | { readonly type: "load" }
  | { readonly type: "write"; readonly deletes: KeyRange[]; readonly puts: StoredRecord[] }
  | { readonly type: "close" };

type Answer =
  | { readonly type: "done"; readonly records: StoredRecord[] }
  | { readonly type: "failed"; readonly error: PlainError };

/** The worker's side. */
export function remoteStorage(port: MessagePort): Storage {
  const ask = (request: Request) =>
    new Promise<StoredRecord[]>((resolve, reject) => {
      port.onmessage = ({ data }: MessageEvent<Answer>) => {
        switch (data.type) {
          case "done":
            return resolve(data.records);
          case "failed":
            return reject(fromPlain(data.error));
        }
      };
      port.postMessage(request);
    });
  return {
    load: () => ask({ type: "load" }),
    write: async (deletes, puts) => void (await ask({ type: "write", deletes, puts })),
    close: async () => {
      await ask({ type: "close" });
      port.close();
    },
  };
}

/** The owner's side. What it returns ends the service: it waits for the call under way, then closes the storage. */
export function serveStorage(port: MessagePort, storage: Storage): () => Promise<void> {
  let open = true;
  let last: Promise<void> = Promise.resolve();
  const close = async () => {
    if (!open) return;
    open = false;
    await storage.close();
  };
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    last = answer(data).then(
      (records) => port.postMessage({ type: "done", records } satisfies Answer),
      (error: unknown) =>
        port.postMessage({
          type: "failed",
          error: toPlain(error, failureOf(data)),
        } satisfies Answer),
    );
  };
  const answer = async (request: Request): Promise<StoredRecord[]> => {
    switch (request.type) {
      case "load":
        return storage.load();
      case "write":
        await storage.write(request.deletes, request.puts);
        return [];
      case "close":
        await close();
        return [];
    }
  };
  return async () => {
    port.onmessage = null;
    await last;
    port.close();
    await close();
  };
}

function failureOf(request: Request) {
  return request.type === "load" ? "STORAGE_READ_FAILED" : "STORAGE_WRITE_FAILED";
}
