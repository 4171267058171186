/** A worker for tasks, of either kind, as the pool uses it. */

import { JobError } from "./errors.js";
import type { TaskEvents, TaskLink } from "./pool.js";
import type { FromTasks, ToTasks } from "./protocol.js";

interface AnyWorker {
  postMessage(message: ToTasks): void;
  terminate(): unknown;
}

/** Hears what a worker says, and that it ends. */
export interface Ears {
  message(message: FromTasks): void;
  failed(why: string): void;
}

/** Waits for the worker's `hello`. `listen` tells what it says and how it ends. */
export function attach(
  id: number,
  worker: AnyWorker,
  events: TaskEvents,
  listen: (ears: Ears) => void,
): Promise<TaskLink> {
  return new Promise((resolve, reject) => {
    let state: "loading" | "running" | "over" = "loading";
    const link: TaskLink = {
      post: (message) => worker.postMessage(message),
      terminate: async () => {
        state = "over";
        await worker.terminate();
      },
    };
    const fail = (why: string) => {
      const before = state;
      if (before === "over") return;
      state = "over";
      clearTimeout(timer);
      const error = new JobError("WORKER_LOST", `the worker ${id} ${why}`);
      if (before === "running") return events.failed(error);
      void worker.terminate();
      reject(error);
    };
    const timer = setTimeout(() => fail(`did not load within ${LOAD_MS} ms`), LOAD_MS);
    listen({
      failed: fail,
      message: (message) => {
        if (state === "running") return events.message(message);
        if (state === "over" || message?.type !== "hello") return;
        clearTimeout(timer);
        state = "running";
        resolve(link);
      },
    });
  });
}

/** A browser's. */
export const attachTasks = (id: number, worker: Worker, events: TaskEvents): Promise<TaskLink> =>
  attach(id, worker, events, ({ message, failed }) => {
    worker.onmessage = ({ data }: MessageEvent<FromTasks>) => message(data);
    worker.onerror = (event) => failed(`failed: ${event.message || "it could not be loaded"}`);
    worker.onmessageerror = () => failed("sent what cannot be read");
  });

/** A worker's code loads within this time. */
const LOAD_MS = 15_000;
