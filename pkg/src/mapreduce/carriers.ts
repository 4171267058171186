/** Who carries out a job's tasks: the engine alone, or it and the user's functions. */

import { builtInCarrier } from "./built-in.js";
import type { Engine } from "./engine.js";
import type { JobSpec } from "./protocol.js";
import type { Carrier } from "./tasks.js";
import type { AnyJob } from "./user-job.js";
import { userCarrier } from "./user-tasks.js";

export const carrierOf =
  (engine: Engine) =>
  ({ job }: JobSpec, loaded: AnyJob | undefined): Carrier =>
    "builtIn" in job ? builtInCarrier(engine, job.builtIn) : userCarrier(engine, loaded as AnyJob);
