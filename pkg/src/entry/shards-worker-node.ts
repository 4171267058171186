/** The worker of a node on Node, of `quorate/shards`. */

import {
  Host,
  initSync,
  scanSegment,
  sealRound,
  setPanicHandler,
} from "../../wasm/shards/quorate_wasm.js";
import { runThread } from "../thread.js";

runThread({ Host, initSync, scanSegment, sealRound, setPanicHandler });
