/** A typed EventTarget. */

/** By its types what events carry. */
export class Events<E extends object> {
  readonly #target = new EventTarget();
  /** Whether anyone ever listened to `status`, which costs something to make. */
  wantsStatus = false;

  add<K extends keyof E & string>(
    type: K,
    listener: (event: CustomEvent<E[K]>) => void,
    options?: boolean | AddEventListenerOptions,
  ): void {
    if (type === "status") this.wantsStatus = true;
    this.#target.addEventListener(type, listener as EventListener, options);
  }

  remove<K extends keyof E & string>(
    type: K,
    listener: (event: CustomEvent<E[K]>) => void,
    options?: boolean | EventListenerOptions,
  ): void {
    this.#target.removeEventListener(type, listener as EventListener, options);
  }

  emit<K extends keyof E & string>(type: K, detail: E[K]): void {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
