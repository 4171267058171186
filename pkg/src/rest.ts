/** When a page rests: it is frozen, or kept for later. */

/**
 * Hears when the page is put to rest, frozen or kept for later, and when it wakes. What it returns takes that back.
 */
export function onRest(hear: { rest(): void; wake(): void }): () => void {
  if (typeof document === "undefined") return () => {};
  let resting = false;
  const rest = () => {
    if (!resting) hear.rest();
    resting = true;
  };
  const wake = () => {
    if (resting) hear.wake();
    resting = false;
  };
  const hide = ({ persisted }: PageTransitionEvent) => persisted && rest();
  document.addEventListener("freeze", rest);
  document.addEventListener("resume", wake);
  addEventListener("pagehide", hide);
  addEventListener("pageshow", wake);
  return () => {
    document.removeEventListener("freeze", rest);
    document.removeEventListener("resume", wake);
    removeEventListener("pagehide", hide);
    removeEventListener("pageshow", wake);
  };
}
