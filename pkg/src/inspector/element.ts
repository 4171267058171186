/** The element: whose cluster it shows, and when it looks. */

import { integer, invalid, show } from "../check.js";
import type { QuorateError } from "../errors.js";
import type { AnyCluster, ClusterEvents } from "../types.js";
import { Provided } from "./provided.js";
import { STYLE } from "./style.js";
import { View } from "./view.js";
import { TOLD } from "./words.js";

/** `<quorate-inspector>`. */
export interface InspectorElement extends HTMLElement {
  /** What it shows; null for what its attribute `name` finds (see `provide`), or nothing. */
  cluster: AnyCluster | null;
  /** Whether it has buttons that kill and start nodes, and cut them off: the attribute `controls`. Default false. */
  controls: boolean;
  /** How often it looks, in milliseconds: the attribute `interval`. Default 1,000, at least 100, at most 2³¹ − 1. */
  interval: number;
}

export const provided = new Provided();

/** The element's class. Made late: where there is no page, there is nothing to derive it from. */
export function inspectorClass(): new () => InspectorElement {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);

  return class QuorateInspector extends HTMLElement implements InspectorElement {
    static readonly observedAttributes = ["name", "controls", "interval"];
    readonly #view: View;
    #given: AnyCluster | null = null;
    #shown: AnyCluster | null = null;
    /** Ends the listening to the cluster that is shown. */
    #listening = new AbortController();
    #unlisten = () => {};
    #timer: ReturnType<typeof setTimeout> | undefined;
    #looking = false;

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [sheet];
      this.#view = new View(root, {
        killOrStart: (id) => this.#act((cluster) => killOrStart(cluster, id)),
        cutOff: (id) => this.#act((cluster) => cutOff(cluster, id)),
        heal: () => this.#act((cluster) => cluster.network.heal()),
      });
      this.#view.name(null);
    }

    get cluster(): AnyCluster | null {
      return this.#given ?? provided.find(this.getAttribute("name"));
    }

    set cluster(cluster: AnyCluster | null) {
      if (cluster !== null && typeof (cluster as Partial<AnyCluster>)?.metrics !== "function")
        throw invalid(`"cluster" is a Cluster or null, not ${show(cluster)}`);
      this.#given = cluster;
      this.#choose();
    }

    get controls(): boolean {
      return this.hasAttribute("controls");
    }

    set controls(on: boolean) {
      this.toggleAttribute("controls", on);
    }

    get interval(): number {
      const given = Number(this.getAttribute("interval") ?? INTERVAL_MS);
      return given >= INTERVAL_MIN_MS ? Math.min(given, INTERVAL_MAX_MS) : INTERVAL_MS;
    }

    set interval(ms: number) {
      this.setAttribute(
        "interval",
        String(integer(ms, "interval", INTERVAL_MIN_MS, INTERVAL_MAX_MS)),
      );
    }

    connectedCallback(): void {
      // Set before the element was known.
      for (const name of ["cluster", "controls", "interval"]) {
        const early = Object.getOwnPropertyDescriptor(this, name);
        if (early === undefined) continue;
        Reflect.deleteProperty(this, name);
        Reflect.set(this, name, early.value);
      }
      this.#unlisten = provided.listen(() => this.#choose());
      this.#choose();
    }

    disconnectedCallback(): void {
      this.#unlisten();
      this.#show(null);
    }

    attributeChangedCallback(): void {
      if (this.isConnected) this.#choose();
    }

    #choose(): void {
      const next = this.isConnected ? this.cluster : null;
      if (next !== this.#shown) this.#show(next);
      else void this.#look();
    }

    #show(cluster: AnyCluster | null): void {
      this.#listening.abort();
      this.#listening = new AbortController();
      clearTimeout(this.#timer);
      this.#shown = cluster;
      this.#view.name(cluster?.name ?? null);
      if (cluster === null) return;
      for (const type of Object.keys(TOLD) as (keyof ClusterEvents)[]) {
        const told = TOLD[type] as (detail: ClusterEvents[typeof type]) => string;
        cluster.addEventListener(
          type,
          (event) => {
            this.#view.event(told(event.detail), new Date());
            void this.#look();
          },
          { signal: this.#listening.signal },
        );
      }
      void this.#look();
    }

    /** Looks now, and again in a while; where nobody sees the page, only at the time. */
    async #look(): Promise<void> {
      const cluster = this.#shown;
      if (cluster === null || this.#looking) return;
      clearTimeout(this.#timer);
      this.#looking = true;
      try {
        if (!document.hidden) await this.#draw(cluster);
      } catch (error) {
        if ((error as Partial<QuorateError>).code === "CLOSED" && this.#shown === cluster) {
          this.#view.closed();
          return;
        }
        // A cluster that does not answer in time is looked at again.
      } finally {
        this.#looking = false;
      }
      // Meanwhile it may show another one, which nobody has looked at.
      if (this.#shown !== cluster) return void this.#look();
      this.#timer = setTimeout(() => void this.#look(), this.interval);
    }

    async #draw(cluster: AnyCluster): Promise<void> {
      const metrics = await cluster.metrics({ timeout: LOOK_MS });
      const estimate = await navigator.storage?.estimate?.().catch(() => undefined);
      if (this.#shown !== cluster) return;
      this.#view.metrics(metrics, cutOffNodes(cluster), this.controls);
      if (estimate?.usage !== undefined && estimate.quota !== undefined)
        this.#view.site(estimate.usage, estimate.quota);
    }

    #act(act: (cluster: AnyCluster) => unknown): void {
      const cluster = this.#shown;
      if (cluster === null) return;
      const done = () => void this.#look();
      // In a promise, so that it fails in one way.
      Promise.resolve()
        .then(() => act(cluster))
        .catch((error: unknown) => this.#view.event(String(error), new Date()))
        .then(done);
    }
  };
}

function killOrStart(cluster: AnyCluster, id: number): Promise<void> {
  const node = cluster.node(id);
  return node.state === "running" ? node.kill() : node.start();
}

/** Beside those that are cut off already: each is alone. */
function cutOff(cluster: AnyCluster, id: number): void {
  cluster.network.partition(...[...cutOffNodes(cluster), id].map((node) => [node]));
}

/** Nodes that can talk to no other one. */
function cutOffNodes({ network, nodes }: AnyCluster): ReadonlySet<number> {
  const cuts = network.rules.filter(({ cut }) => cut);
  const alone = nodes.filter(
    ({ id }) => cuts.filter(({ from }) => from === id).length >= nodes.length - 1,
  );
  return new Set(nodes.length > 1 ? alone.map(({ id }) => id) : []);
}

const INTERVAL_MS = 1_000;
const INTERVAL_MIN_MS = 100;
/** Platforms take a longer pause for none. */
const INTERVAL_MAX_MS = 2 ** 31 - 1;
/** The nodes are waited for as long as this. */
const LOOK_MS = 2_000;
