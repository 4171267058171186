/** The site is kept by the browser, for when there is no network. Where that cannot be, it is as without. */

/** How long after the page has come what is large may come, too, in milliseconds. */
const LATER = 5_000;

export async function keepForOffline(): Promise<void> {
  if (!("serviceWorker" in navigator) || !import.meta.env.PROD) return;
  try {
    await navigator.serviceWorker.register(new URL("./offline.js", document.baseURI), {
      updateViaCache: "none",
    });
    const { active } = await navigator.serviceWorker.ready;
    if (sparesData()) return;
    setTimeout(() => active?.postMessage("later"), LATER);
  } catch {
    // A private window, or a host that does not allow it.
  }
}

/** Whether the visitor asked for few data. */
function sparesData(): boolean {
  const { connection } = navigator as { connection?: { saveData?: boolean } };
  return connection?.saveData === true;
}
