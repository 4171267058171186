/** The one loop that draws: as often as the screen does while something moves, and once where something changed. */

/** Something that moves. */
export interface Scene {
  /** Shows this moment of the page's clock. Answers whether it looks different a moment later. */
  draw(at: number): boolean;
}

export class Frames {
  readonly #scene: Scene;
  #asked = false;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  /** Something changed. */
  ask(): void {
    if (this.#asked) return;
    this.#asked = true;
    // A hidden tab paints no frames, and needs none.
    requestAnimationFrame(() => {
      this.#asked = false;
      // The time of the frame may be before that of what was heard last.
      if (this.#scene.draw(performance.now())) this.ask();
    });
  }
}
