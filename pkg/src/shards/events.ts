/** The events of a sharded store, typed. */

import type { ShardedEvents, ShardedListener } from "./types.js";

export class Events {
  readonly #target = new EventTarget();

  add<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    this.#target.addEventListener(type, listener as EventListener, options);
  }

  remove<K extends keyof ShardedEvents>(
    type: K,
    listener: ShardedListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#target.removeEventListener(type, listener as EventListener, options);
  }

  emit<K extends keyof ShardedEvents>(type: K, detail: ShardedEvents[K]): void {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
