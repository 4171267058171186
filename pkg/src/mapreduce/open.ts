/** `MapReduceCluster.open`, on any platform. */

import { disposable } from "../disposable.js";
import { addCodes } from "../errors.js";
import { open } from "../open.js";
import type { Platform } from "../platform.js";
import { LiveMapReduceCluster } from "./cluster.js";
import { JOB_CODES } from "./errors.js";
import { type MapReduceSettings, readCluster } from "./options.js";
import type { Winner } from "./outputs.js";
import type { TaskEvents, TaskLink } from "./pool.js";
import type { Scratch, ScratchPlace } from "./scratch.js";
import type { ReadSource } from "./source.js";
import type { SourceHome } from "./sources.js";
import type { MapReduceClusterFactory } from "./types.js";

/** A platform with workers for tasks, and places for data. */
export interface JobPlatform extends Platform {
  readonly processors: number;
  /** The engine, compiled once for all workers. */
  engine(): Promise<WebAssembly.Module>;
  spawnTasks(id: number, events: TaskEvents): Promise<TaskLink>;
  scratchPlace(settings: MapReduceSettings): ScratchPlace;
  openScratch(place: ScratchPlace): Promise<Scratch>;
  sources(settings: MapReduceSettings): SourceHome;
  /** Whether results can be put into this directory; absent where there are none. */
  checkTarget?(path: string): Promise<void>;
  publish?(
    path: string,
    name: string,
    job: number,
    winners: readonly Winner[],
    settings: MapReduceSettings,
    signal: AbortSignal,
  ): Promise<void>;
  /** A published partition. */
  readPublished?(target: string, partition: number): ReadableStream<Uint8Array>;
  readonly readSource: ReadSource;
}

/** `MapReduceCluster` on a platform. */
export function mapReduceFactory(platform: JobPlatform): MapReduceClusterFactory {
  addCodes(JOB_CODES);
  disposable(LiveMapReduceCluster.prototype);
  return {
    open: async (options) => {
      const settings = readCluster(options, platform);
      return open(
        platform,
        settings.cluster,
        (module, unlock) => new LiveMapReduceCluster(platform, settings, module, unlock),
      );
    },
  };
}
