// A node's worker that can be made to stand still, as one in a tab that is frozen does. The package's own listens later.

let id;
addEventListener("message", ({ data }) => {
  if (data.type === "start") id = data.node;
});
new BroadcastChannel("hang").onmessage = ({ data }) => {
  if (data.id === id) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, data.ms);
};
await import("./quorate/worker.js");
