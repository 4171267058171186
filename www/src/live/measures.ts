/** The measures' part of the page: figures of the cluster, and a load to have some. */

import type { Cluster, ClusterMetrics } from "quorate";

import { find, make, setText } from "../dom.js";
import { CHARTS, figures, loadState } from "../words/measures.js";
import { FEW, Load } from "./load.js";
import type { Plots } from "./plots.js";
import { follow, type Point } from "./series.js";
import type { Traffic } from "./traffic.js";
import { TAGS } from "./wire.js";

/** How often the nodes are asked what they counted. */
const LOOK_MS = 1_000;
/** The load is about so many keys in turn. */
const KEYS = 8;

export class Measures {
  readonly #cluster: () => Cluster | undefined;
  readonly #traffic: Traffic;
  readonly #messages = find("messages", HTMLElement);
  readonly #say: (error: unknown) => string;
  readonly #load: Load;
  readonly #root = find("plots", HTMLElement);
  readonly #figures = find("figures", HTMLElement);
  readonly #state = find("load-state", HTMLElement);
  #before: ClusterMetrics | undefined;
  #points: readonly Point[] = [];
  #plots: Promise<Plots> | undefined;

  /** `say` puts an error into words. */
  constructor(
    cluster: () => Cluster | undefined,
    traffic: Traffic,
    say: (error: unknown) => string,
  ) {
    this.#cluster = cluster;
    this.#traffic = traffic;
    this.#say = say;
    const kind = find("load-kind", HTMLSelectElement);
    this.#load = new Load(async (number) => {
      const key = `load/${(number % KEYS) + 1}`;
      const kv = this.#cluster()?.kv.as("utf8");
      const reads = kind.value === "read" || (kind.value === "both" && number % 2 === 0);
      await (reads ? kv?.get(key) : kv?.put(key, String(number)));
    });
    const rate = find("load-rate", HTMLSelectElement);
    // Some browsers bring back what was chosen before a reload.
    rate.value = "0";
    kind.value = "write";
    rate.addEventListener("change", () => {
      if (rate.value === "few") this.#load.run(Number.POSITIVE_INFINITY, FEW);
      else this.#load.run(Number(rate.value));
      this.#tell();
    });
    find("load", HTMLFormElement).addEventListener("submit", (event) => event.preventDefault());
    setInterval(() => document.hidden || void this.#look(), LOOK_MS);
  }

  async #look(): Promise<void> {
    this.#tell();
    const now = await this.#cluster()
      ?.metrics({ timeout: LOOK_MS })
      .catch(() => undefined);
    if (now === undefined) return;
    this.#count(now);
    this.#points = follow(this.#points, this.#before, now);
    this.#before = now;
    const newest = this.#points.at(-1);
    if (newest === undefined) return;
    setText(this.#figures, figures(newest));
    this.#plots ??= import("./plots.js").then(({ Plots }) => new Plots(this.#root, CHARTS));
    // Without the drawings there are the figures in words.
    await this.#plots.then((plots) => plots.show(this.#points)).catch(() => {});
  }

  /** What the nodes say that they sent, and what was seen to leave them. */
  #count({ nodes }: ClusterMetrics): void {
    const running = nodes.flatMap(({ metrics }) => metrics ?? []);
    const ids = running.map(({ id }) => id);
    const rows = (Object.keys(TAGS) as (keyof typeof TAGS)[]).flatMap((kind) => {
      const sum = (way: "sent" | "lost") =>
        running.reduce((total, { messages }) => total + messages[way][kind], 0);
      const figures = [sum("sent"), sum("lost"), this.#traffic.count(TAGS[kind], ids)];
      return figures.every((figure) => figure === 0) ? [] : [{ kind, figures }];
    });
    this.#messages.replaceChildren(
      ...rows.map(({ kind, figures }) =>
        make(
          "tr",
          { "data-kind": kind },
          make("th", { scope: "row" }, kind),
          ...figures.map((figure) => make("td", { class: "number" }, figure.toLocaleString("en"))),
        ),
      ),
    );
  }

  #tell(): void {
    const { done, failed, error } = this.#load.counts;
    setText(
      this.#state,
      loadState(this.#load.rate, done, failed, failed > 0 ? this.#say(error) : ""),
    );
  }
}
