/**
 * A transport that lives in the owner's thread and is used by a node's worker, as a user's own does, which cannot be
 * posted to a worker.
 */

import { fromPlain, type PlainError, toPlain } from "../errors.js";
import type { Transport, TransportLink, TransportNode } from "./transport.js";

/** From the worker: a frame to send. From the owner: a frame that came, or how the opening ended. */
type ToOwner = { readonly frame: Uint8Array; readonly to: number | undefined };
type ToWorker =
  | { readonly frame: Uint8Array; readonly from: number | undefined }
  | { readonly opened: PlainError | null };

/** The worker's side. */
export function remoteTransport(port: MessagePort): Transport {
  return {
    open: (_self, receive) =>
      new Promise((resolve, reject) => {
        const link: TransportLink = {
          send: (frame, to) =>
            port.postMessage({ frame, to } satisfies ToOwner, [frame.buffer as ArrayBuffer]),
          close: () => port.close(),
        };
        port.onmessage = ({ data }: MessageEvent<ToWorker>) => {
          if ("frame" in data) receive(data.frame, data.from);
          else if (data.opened === null) resolve(link);
          else reject(fromPlain(data.opened));
        };
      }),
  };
}

/** The owner's side. What it returns ends the service. */
export function serveTransport(
  port: MessagePort,
  transport: Transport,
  self: TransportNode,
): () => Promise<void> {
  let ended = false;
  const tell = (message: ToWorker) => ended || port.postMessage(message);
  const opening = (async () => transport.open(self, (frame, from) => void tell({ frame, from })))();
  opening.then(
    () => tell({ opened: null }),
    (error: unknown) => {
      const plain = toPlain(error, "TRANSPORT_FAILED");
      tell({ opened: { ...plain, message: `the transport did not open: ${plain.message}` } });
    },
  );
  port.onmessage = ({ data }: MessageEvent<ToOwner>) => {
    opening
      .then((link) => {
        // One that sends later can fail later.
        return ended ? undefined : link.send(data.frame, data.to);
      })
      .catch(() => {}); // A frame that cannot be sent is lost.
  };
  return async () => {
    ended = true;
    port.onmessage = null;
    port.close();
    await opening.then((link) => link.close()).catch(() => {});
  };
}
