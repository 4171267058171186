/** A worker of either kind, browser's or Node's, as a link. */

import { quorateError } from "./errors.js";
import type { WorkerEvents, WorkerLink } from "./platform.js";
import type { FromWorker } from "./protocol.js";
import type { WorkerHandle } from "./types.js";

type Hear = (type: string, listener: (event: unknown) => void) => void;

/** Waits for the worker's `hello`; a worker that fails before is terminated and rejected. */
export function attach(
  node: number,
  worker: WorkerHandle,
  events: WorkerEvents,
): Promise<WorkerLink> {
  return new Promise((resolve, reject) => {
    let state: "loading" | "running" | "over" = "loading";
    const link: WorkerLink = {
      post: (message, transfer = []) => worker.postMessage(message as never, transfer as never),
      terminate: async () => {
        state = "over";
        await worker.terminate();
      },
    };
    const fail = (what: string, cause?: unknown) => {
      const before = state;
      state = "over";
      const error = quorateError("WORKER_FAILED", `the worker of node ${node} ${what}`, {
        node,
        cause,
      });
      if (before === "running") events.failed(error);
      if (before !== "loading") return;
      clearTimeout(timer);
      link.terminate().then(
        () => reject(error),
        () => reject(error),
      );
    };
    const timer = setTimeout(() => fail(`did not load within ${LOAD_MS} ms`), LOAD_MS);
    const receive = (message: FromWorker) => {
      if (state === "running") return events.message(message);
      if (state === "over" || message?.type !== "hello") return;
      clearTimeout(timer);
      state = "running";
      resolve(link);
    };
    if (hasMethod(worker, "on")) {
      const on = worker.on.bind(worker) as Hear;
      on("message", (message) => receive(message as FromWorker));
      on("error", (error) => fail(`failed: ${messageOf(error)}`, error));
      on("messageerror", (error) => fail("sent what cannot be read", error));
      on("exit", (code) => fail(`ended with exit code ${String(code)}`));
    } else if (hasMethod(worker, "addEventListener")) {
      const on = worker.addEventListener.bind(worker) as Hear;
      on("message", (event) => receive((event as MessageEvent<FromWorker>).data));
      on("error", (event) => fail(`failed: ${messageOf(event)}`, event));
      on("messageerror", (event) => fail("sent what cannot be read", event));
    } else {
      fail("is no worker: createWorker must return one");
    }
  });
}

/** A shared worker as one that a page has for itself: to terminate it is to leave it. */
export function sharedHandle(worker: SharedWorker): WorkerHandle {
  const { port } = worker;
  return {
    postMessage: (message: never, transfer?: never) => port.postMessage(message, transfer ?? []),
    terminate: () => {
      port.postMessage({ type: "close" });
      port.close();
    },
    addEventListener: (type: string, listener: EventListener) => {
      (type === "error" ? worker : port).addEventListener(type, listener);
      port.start();
    },
  } as WorkerHandle;
}

function hasMethod<M extends string>(
  object: unknown,
  method: M,
): object is Record<M, (...args: never[]) => unknown> {
  return typeof (object as Partial<Record<M, unknown>> | null)?.[method] === "function";
}

/** The text of an error or an error event. A script that did not load has none. */
function messageOf(error: unknown): string {
  const { message } = error as { message?: unknown };
  return typeof message === "string" && message !== "" ? message : "its script could not be loaded";
}

/** A worker's code loads within this time. */
const LOAD_MS = 15_000;
