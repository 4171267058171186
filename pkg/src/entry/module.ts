/** Bytes that should be WebAssembly, compiled, or an error that says what came instead. */

import { quorateError } from "../errors.js";
import type { ClusterOptions } from "../types.js";

/** Compiles what the caller gave. URLs are read by `read`. */
export async function compile(
  source: NonNullable<ClusterOptions["wasm"]>,
  read: (url: URL) => Promise<BufferSource>,
): Promise<WebAssembly.Module> {
  if (source instanceof WebAssembly.Module) return source;
  const from =
    source instanceof URL
      ? source.href
      : source instanceof Response
        ? source.url || "the response"
        : "the buffer";
  return compileBytes(await bytesOf(source, read), from);
}

/** The bytes of what the caller gave. What is compiled has none any more. */
export async function bytesOf(
  source: NonNullable<ClusterOptions["wasm"]>,
  read: (url: URL) => Promise<BufferSource>,
): Promise<BufferSource> {
  if (source instanceof URL) return read(source);
  // It is read once for this thread, and once for a shared worker.
  if (source instanceof Response) return body(source.clone());
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return source as BufferSource;
  if (source instanceof WebAssembly.Module)
    throw loadError("a compiled module cannot be sent to a shared worker");
  throw loadError('the option "wasm" is no URL, Response, buffer or WebAssembly.Module');
}

/** Fetches WebAssembly. */
export async function fetchBytes(url: URL): Promise<BufferSource> {
  try {
    return await body(await fetch(url));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "WASM_LOAD") throw error;
    throw loadError(`${url.href} could not be fetched: ${String(error)}`, error);
  }
}

/** What to tell about WebAssembly that cannot be used. */
export function loadError(what: string, cause?: unknown) {
  return quorateError(
    "WASM_LOAD",
    `the WebAssembly cannot be loaded: ${what}. With a bundler that moves files (Vite before 8: ` +
      'optimizeDeps.exclude: ["quorate"]), import "quorate/inline", or give the option "wasm"',
    { cause },
  );
}

async function body(response: Response): Promise<ArrayBuffer> {
  if (!response.ok) throw loadError(`${response.url} answered ${response.status}`);
  return response.arrayBuffer();
}

async function compileBytes(source: BufferSource, from: string): Promise<WebAssembly.Module> {
  const bytes =
    source instanceof ArrayBuffer
      ? new Uint8Array(source)
      : new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (MAGIC.some((byte, at) => bytes[at] !== byte)) {
    const html = new TextDecoder().decode(bytes.subarray(0, 64)).trimStart().startsWith("<");
    throw loadError(`${from} is ${html ? "a page of HTML" : "something else"}`);
  }
  try {
    return await WebAssembly.compile(source);
  } catch (error) {
    throw loadError(`${from} does not compile: ${String(error)}`, error);
  }
}

/** `\0asm` */
const MAGIC = [0x00, 0x61, 0x73, 0x6d];
