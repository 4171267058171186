/** Figures over time, drawn by uPlot. Loaded when there is something to draw. */

import uPlot from "uplot";

import "uplot/dist/uPlot.min.css";
import { make } from "../dom.js";
import type { Point } from "./series.js";

interface Chart {
  readonly title: string;
  readonly lines: readonly {
    name: string;
    of: keyof Point;
    color: string;
    dash?: readonly number[];
  }[];
  readonly value: (value: number) => string;
}

export class Plots {
  readonly #root: HTMLElement;
  readonly #charts: readonly Chart[];
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  #plots: uPlot[] = [];
  #points: readonly Point[] = [];

  /** `describe` puts a chart into words, for who does not see it. */
  constructor(root: HTMLElement, charts: readonly Chart[]) {
    this.#root = root;
    this.#charts = charts;
    this.#make();
    // Canvases know no style sheet.
    this.#dark.addEventListener("change", () => this.#make());
    new ResizeObserver(() => this.#fit()).observe(root);
  }

  show(points: readonly Point[]): void {
    this.#points = points;
    for (const [at, plot] of this.#plots.entries()) {
      const lines = this.#charts[at]?.lines ?? [];
      plot.setData([
        points.map((point) => point.at),
        ...lines.map(({ of }) => points.map((point) => point[of])),
      ]);
    }
  }

  #make(): void {
    for (const plot of this.#plots) plot.destroy();
    const style = getComputedStyle(this.#root);
    const color = (name: string) => style.getPropertyValue(name).trim();
    const [text, grid] = [color("--soft"), color("--line")];
    this.#plots = this.#charts.map(({ title, lines, value }) => {
      const axis = {
        stroke: text,
        grid: { stroke: grid, width: 1 },
        ticks: { stroke: grid, width: 1 },
      };
      const plot = new uPlot({
        title,
        width: this.#width,
        height: 180,
        cursor: { drag: { x: false, y: false } },
        // An hour and a minute are of no interest.
        axes: [
          {
            ...axis,
            // Whole seconds.
            incrs: [1, 2, 5, 10, 20, 30, 60],
            values: (self, splits) =>
              splits.map((at) => `${Math.round(at - (self.data[0].at(-1) ?? at))} s`),
          },
          { ...axis, size: 60, values: (_, splits) => splits.map(value) },
        ],
        scales: {
          x: { time: false },
          y: { range: (_self, _least, most) => [0, Math.max(1, (most ?? 0) * 1.1)] },
        },
        series: [
          {
            label: "Time",
            value: (self, at) =>
              at === null ? "–" : `${Math.round(at - (self.data[0].at(-1) ?? at))} s`,
          },
          ...lines.map(({ name, color: of, dash }) => ({
            label: name,
            stroke: color(of),
            width: 2,
            ...(dash && { dash: [...dash] }),
            value: (_: uPlot, amount: number | null) => (amount === null ? "–" : value(amount)),
          })),
        ],
      });
      // Its figures are told beside it, in words.
      plot.root.setAttribute("role", "img");
      plot.root.setAttribute("aria-label", title);
      return plot;
    });
    this.#root.replaceChildren(
      ...this.#plots.map(({ root }) => make("div", { class: "plot" }, root)),
    );
    this.#fit();
    this.show(this.#points);
  }

  /** As many beside one another as the style sheet says. */
  get #width(): number {
    return Math.max(200, this.#root.querySelector(".plot")?.clientWidth ?? this.#root.clientWidth);
  }

  #fit(): void {
    const width = this.#width;
    for (const plot of this.#plots) if (plot.width !== width) plot.setSize({ width, height: 180 });
  }
}
