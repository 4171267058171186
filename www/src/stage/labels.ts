/** Where words stand beside what moves, so that they can be read. Pure. */

import type { Point } from "./geometry.js";

/** A box by its middle and half of its sides. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly halfWidth: number;
  readonly halfHeight: number;
}

/** Half of the height of a line of words. */
const HALF_LINE = 8;
/** From the middle of a mark to the words beside it. */
const BESIDE = 12;

/**
 * The middles of labels, each beside its mark: at its right, or else at its left, above, below, wherever it meets nothing of `taken` and no
 * label before it. A label for which there is no room has no place. `widths[i]` is that of the label of `marks[i]`; 0 for none.
 */
export function labelPlaces(
  marks: readonly (Point | undefined)[],
  widths: readonly number[],
  taken: readonly Box[],
): (Point | undefined)[] {
  const boxes = [...taken];
  return marks.map((mark, at) => {
    const halfWidth = (widths[at] ?? 0) / 2;
    if (mark === undefined || halfWidth === 0) return undefined;
    const away = BESIDE + halfWidth;
    const box = [
      { x: mark.x + away, y: mark.y },
      { x: mark.x - away, y: mark.y },
      { x: mark.x, y: mark.y - 2 * HALF_LINE },
      { x: mark.x, y: mark.y + 2 * HALF_LINE },
    ]
      .map((middle) => ({ ...middle, halfWidth, halfHeight: HALF_LINE }))
      .find((one) => boxes.every((other) => !meet(one, other)));
    if (box !== undefined) boxes.push(box);
    return box;
  });
}

function meet(a: Box, b: Box): boolean {
  return (
    Math.abs(a.x - b.x) < a.halfWidth + b.halfWidth &&
    Math.abs(a.y - b.y) < a.halfHeight + b.halfHeight
  );
}
