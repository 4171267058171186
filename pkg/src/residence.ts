/**
 * What the worker of a node needs whose cluster has several owners: it is a tab's, or shared, or has a transport. Workers of
 * `Cluster.open` do without.
 */

import type { Host } from "../wasm/quorate_wasm.js";
import { quorateError } from "./errors.js";
import { Keeper } from "./keeper.js";
import type { Identity, ToWorker } from "./protocol.js";
import { Resident, type ResidentEvents } from "./resident.js";
import { census, isOurs, show } from "./tab.js";
import { Broadcast } from "./transport/broadcast-channel.js";
import { remoteTransport } from "./transport/remote.js";

type Start = ToWorker & { type: "start" };

/** A node that is open, and is to meet the others. */
export interface Arrival {
  readonly host: Host;
  readonly message: Start;
  readonly transport: NonNullable<Start["transport"]>;
  /** Aborts when others may have its place. */
  readonly over: AbortSignal;
  /** Opens another node here, whose tab is gone; `failed` hears when it ends by itself. */
  adopt(node: number, failed: () => void): Promise<Host>;
  readonly events: Omit<ResidentEvents, "begun"> & { begun(founded: boolean): void };
}

export interface Residence {
  /** Has `start` open the node that this tab is to be, and tells `opened`. The first one keeps others from choosing until `foundation`. */
  place(
    message: Start,
    start: (placed: Start) => Promise<Host>,
    opened: (host: Host, placed: Start, isFirst: boolean) => void,
    foundation: Promise<void>,
  ): Promise<void>;
  /** The node's part in the cluster, not open yet; for a tab also what looks after nodes whose tabs are gone. */
  join(arrival: Arrival): { readonly resident: Resident; readonly keeper: Keeper | undefined };
}

export const residence: Residence = {
  place: (message, start, opened, foundation) =>
    census(message.cluster, async (node, isFirst, found) => {
      const placed = { ...message, node };
      const host = await start(placed);
      if (!isOurs(found, (host.identity() as Identity).cluster)) {
        await host.close();
        const what = "is of another cluster of this name than the one that tabs run";
        throw quorateError("STORAGE_FOREIGN", `the database of node ${node} ${what}`);
      }
      opened(host, placed, isFirst);
      // Who chooses next shall find a cluster.
      if (isFirst) await foundation;
    }),

  join({ host, message, transport, over, adopt, events }) {
    const { cluster: name, node, tab } = message;
    const known = (host.identity() as Identity).cluster;
    const appear = (cluster: string) => tab && show(name, cluster, over);
    // Before another tab chooses.
    if (known !== null) appear(known);
    let keeper: Keeper | undefined;
    const parts = { name, machine: message.machine !== undefined, tabs: () => keeper?.now };
    const resident = new Resident({
      ...parts,
      node,
      orphan: false,
      host,
      transport: transport.kind === "port" ? remoteTransport(transport.port) : new Broadcast(),
      events: {
        ...events,
        begun: (cluster, byOwner) => {
          if (known === null) appear(cluster);
          events.begun(byOwner);
        },
      },
    });
    const orphan = async (node: number, failed: () => void) =>
      new Resident({
        ...parts,
        node,
        orphan: true,
        host: await adopt(node, failed),
        transport: new Broadcast(),
        events: { begun() {}, up() {}, down() {}, failed },
      });
    if (tab) keeper = new Keeper({ name, own: resident, adopt: orphan });
    return { resident, keeper };
  },
};
