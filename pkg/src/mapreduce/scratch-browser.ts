/**
 * Scratch storage in a browser: files of the origin's private file system; where there is none, blobs in IndexedDB. Both are
 * read as blobs, which any number of workers can do at once, in a worker without a promise.
 */

import {
  damaged,
  type Scratch,
  type ScratchReader,
  type ScratchWriter,
  unwritten,
} from "./scratch.js";

/** The scratch storage of this name. */
export async function browserScratch(name: string): Promise<Scratch> {
  try {
    const root = await navigator.storage.getDirectory();
    const own = await root.getDirectoryHandle(FOLDER, { create: true });
    const files = await own.getDirectoryHandle(name, { create: true });
    if (canWrite()) return fileScratch(files);
  } catch {
    // None here: a private window, an old browser, a page without a secure origin.
  }
  return blobScratch(await openDatabase(`quorate-scratch/${name}`));
}

interface BlobReader extends ScratchReader {
  readonly blob: Blob;
}

/** A file's bytes, once it is found. */
function streamOf(open: () => Promise<ScratchReader>): ReadableStream<Uint8Array> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  return new ReadableStream({
    async pull(controller) {
      reader ??= ((await open()) as BlobReader).blob.stream().getReader();
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => reader?.cancel(reason),
  });
}

type SyncFile = {
  write(bytes: Uint8Array, at: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
};
type SyncHandle = FileSystemFileHandle & { createSyncAccessHandle?(): Promise<SyncFile> };
type Folder = FileSystemDirectoryHandle & { keys(): AsyncIterable<string> };

/** Workers alone write, and a page follows them: who has such files can write them in workers. */
const canWrite = () =>
  typeof WorkerGlobalScope === "undefined" ||
  "createSyncAccessHandle" in FileSystemFileHandle.prototype;

declare const WorkerGlobalScope: unknown;

function fileScratch(root: FileSystemDirectoryHandle): Scratch {
  const place = async (name: string, create: boolean) => {
    const [job = "", file = ""] = name.split("/");
    return { folder: await root.getDirectoryHandle(job, { create }), file };
  };
  const scratch: Scratch = {
    stream: (name) => streamOf(() => scratch.open(name)),
    create: async (name) => {
      try {
        const { folder, file } = await place(name, true);
        const handle = (await folder.getFileHandle(file, { create: true })) as SyncHandle;
        const sync = await handle.createSyncAccessHandle?.();
        if (sync === undefined) throw new Error("only a worker writes");
        sync.truncate(0);
        return fileWriter(sync, name, () => folder.removeEntry(file));
      } catch (error) {
        throw unwritten(name, error);
      }
    },
    open: async (name) => {
      try {
        const { folder, file } = await place(name, false);
        return blobReader(await (await folder.getFileHandle(file)).getFile(), name);
      } catch (error) {
        throw damaged(name, error);
      }
    },
    remove: async (job, prefix) => {
      if (prefix === undefined) return unlocked(() => root.removeEntry(job, { recursive: true }));
      const folder = await root.getDirectoryHandle(job).catch(() => undefined);
      if (folder === undefined) return;
      for await (const file of (folder as Folder).keys()) {
        if (file.startsWith(prefix)) await unlocked(() => folder.removeEntry(file));
      }
    },
    jobs: async () => {
      const all: string[] = [];
      for await (const name of (root as Folder).keys()) all.push(name);
      return all;
    },
  };
  return scratch;
}

/** A worker that was ended holds the file that it wrote for a moment. What is not there is fine. */
async function unlocked(remove: () => Promise<void>): Promise<void> {
  for (let left = LOCKED_TIMES; left > 0; left--) {
    try {
      return await remove();
    } catch (error) {
      if ((error as Error).name !== "NoModificationAllowedError") return;
      await new Promise((resolve) => setTimeout(resolve, LOCKED_MS));
    }
  }
}

function fileWriter(sync: SyncFile, name: string, remove: () => Promise<void>): ScratchWriter {
  let at = 0;
  return {
    write: (bytes) => {
      try {
        const count = sync.write(bytes, { at });
        if (count < bytes.length) throw new Error(`only ${count} of ${bytes.length} bytes`);
        at += count;
      } catch (error) {
        throw unwritten(name, error);
      }
    },
    close: async () => sync.close(),
    abandon: async () => {
      sync.close();
      await remove().catch(() => {});
    },
  };
}

function blobScratch(database: IDBDatabase): Scratch {
  const within = <T>(mode: IDBTransactionMode, use: (store: IDBObjectStore) => IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(STORE, mode);
      const request = use(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? request.error);
    });
  const put = (file: Blob | ArrayBuffer, name: string) =>
    within("readwrite", (store) => store.put(file, name));
  const keys = async (prefix: string) =>
    (await within("readonly", (store) =>
      store.getAllKeys(IDBKeyRange.bound(prefix, `${prefix}\uffff`)),
    )) as string[];
  const scratch: Scratch = {
    stream: (name) => streamOf(() => scratch.open(name)),
    create: async (name) => {
      let [parts, pending]: [Blob[], Uint8Array[]] = [[], []];
      let size = 0;
      return {
        write: (bytes) => {
          pending.push(bytes.slice());
          size += bytes.length;
          // What is a blob need not be in memory.
          if (size < PART_BYTES) return;
          parts.push(new Blob(pending as BlobPart[]));
          [pending, size] = [[], 0];
        },
        close: async () => {
          const blob = new Blob([...parts, ...(pending as BlobPart[])]);
          [parts, pending] = [[], []];
          try {
            // A private window of WebKit stores no blobs.
            await put(blob, name).catch(async () => put(await blob.arrayBuffer(), name));
          } catch (error) {
            throw unwritten(name, error);
          }
        },
        abandon: async () => {
          [parts, pending] = [[], []];
        },
      };
    },
    open: async (name) => {
      const file: unknown = await within("readonly", (store) => store.get(name)).catch(
        (error: unknown) => error,
      );
      if (file instanceof Blob) return blobReader(file, name);
      if (file instanceof ArrayBuffer) return blobReader(new Blob([file]), name);
      throw damaged(name, file ?? "it is not there");
    },
    remove: async (job, prefix = "") => {
      await within("readwrite", (store) =>
        store.delete(IDBKeyRange.bound(`${job}/${prefix}`, `${job}/${prefix}\uffff`)),
      );
    },
    jobs: async () => [...new Set((await keys("")).map((name) => name.split("/")[0] ?? ""))],
  };
  return scratch;
}

function blobReader(blob: Blob, name: string): BlobReader {
  return {
    blob,
    size: blob.size,
    read: (at, length) => {
      try {
        return new Uint8Array(new FileReaderSync().readAsArrayBuffer(blob.slice(at, at + length)));
      } catch (error) {
        throw damaged(name, error);
      }
    },
    close: () => {},
  };
}

declare class FileReaderSync {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

function openDatabase(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => {
      // Whoever deletes the origin's data need not wait for pages.
      request.result.onversionchange = () => request.result.close();
      resolve(request.result);
    };
    request.onerror = () => reject(unwritten(name, request.error));
    request.onblocked = () => reject(unwritten(name, "another page holds an old version"));
  });
}

const FOLDER = "quorate-scratch";
const STORE = "files";
const LOCKED_TIMES = 40;
const LOCKED_MS = 50;
const PART_BYTES = 1 << 20;
