/** What crate/sim-wasm/planted.txt says, put in when the page is built. */
declare module "virtual:planted" {
  export interface Planted {
    readonly name: string;
    /** False for variants that are no bugs. */
    readonly isBug: boolean;
    readonly title: string;
    /** What is broken, in one sentence. */
    readonly breaks: string;
    /** Where the rule stands. */
    readonly paper: string;
    /** What to do to find it by hand; null for variants. */
    readonly try: string | null;
    /** What of the scene for that is not as usual. */
    readonly scene: Readonly<Record<string, string | number>>;
    /** The properties that it may break. */
    readonly caughtBy: readonly string[];
    /** The changed lines. `planted` stands for the question whether the bug is on. */
    readonly changes: readonly {
      readonly path: string;
      readonly before: readonly string[];
      readonly after: readonly string[];
    }[];
  }
  export const planted: readonly Planted[];
}
