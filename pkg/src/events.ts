/** A typed EventTarget. */

import type { ClusterEvents, ClusterListener } from "./types.js";

export class Events<E extends Partial<ClusterEvents> = ClusterEvents> {
  readonly #target = new EventTarget();
  /** Whether anyone ever listened to `status`, which costs something to make. */
  wantsStatus = false;

  add<K extends keyof E & keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | AddEventListenerOptions,
  ): void {
    if (type === "status") this.wantsStatus = true;
    this.#target.addEventListener(type, listener as EventListener, options);
  }

  remove<K extends keyof E & keyof ClusterEvents>(
    type: K,
    listener: ClusterListener<K>,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#target.removeEventListener(type, listener as EventListener, options);
  }

  emit<K extends keyof E & keyof ClusterEvents>(type: K, detail: ClusterEvents[K]): void {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
