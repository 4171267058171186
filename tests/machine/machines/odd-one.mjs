// On the thread that is named first, and on no other, it counts by two.

import { threadId } from "node:worker_threads";

export default class OddOne {
  count = 0;

  apply({ odd }) {
    this.count += odd === threadId ? 2 : 1;
  }

  query() {
    return { count: this.count, threadId };
  }

  snapshot() {
    return this.count;
  }

  restore(count) {
    this.count = count;
  }
}
