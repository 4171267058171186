// A node's worker that can be made to stand still, as one in a tab that is frozen does, and whose disk can be full. The package's
// own listens later.

const full = new Set();
addEventListener("message", ({ data }) => {
  if (data.type === "hang") Atomics.wait(data.end, 0, 0, 200_000);
  if (data.type === "undying") IDBFactory.prototype.deleteDatabase = () => ({});
  if (data.type === "disk") full[data.full ? "add" : "delete"](data.place);
});
const { put } = IDBObjectStore.prototype;
IDBObjectStore.prototype.put = function (...what) {
  if (full.has(this.transaction.db.name))
    throw new DOMException("no space is left", "QuotaExceededError");
  return put.apply(this, what);
};
await import("./quorate/worker.js");
