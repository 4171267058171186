/** The worker of a node on Node, of `quorate`. */

import {
  Host,
  initSync,
  scanSegment,
  sealRound,
  setPanicHandler,
} from "../../wasm/quorate_wasm.js";
import { runThread } from "../thread.js";

runThread({ Host, initSync, scanSegment, sealRound, setPanicHandler });
