// A node's worker that can be made to stand still, as one in a tab that is frozen does. The package's own listens later.

addEventListener("message", ({ data: { type, end } }) => {
  if (type === "hang") Atomics.wait(end, 0, 0, 200_000);
});
await import("./quorate/worker.js");
