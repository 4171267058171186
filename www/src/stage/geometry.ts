/** Where things stand in the ring, in its own coordinates. Pure. */

export const WIDTH = 640;
export const HEIGHT = 440;
export const NODE_RADIUS = 34;

const CENTER = { x: WIDTH / 2, y: HEIGHT / 2 };
const RADIUS = { x: 236, y: 160 };

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The places of so many nodes, clockwise from the top. */
export function places(count: number): Point[] {
  if (count === 1) return [{ x: CENTER.x, y: CENTER.y - RADIUS.y }];
  return Array.from({ length: count }, (_, at) => {
    const angle = (at / count) * 2 * Math.PI - Math.PI / 2;
    return { x: CENTER.x + RADIUS.x * Math.cos(angle), y: CENTER.y + RADIUS.y * Math.sin(angle) };
  });
}

/** The clients stand in the middle. */
export const CLIENTS: Point = CENTER;

/** How far the way of a message bends to its right, as part of its length: there and back are two ways. */
const BEND = 0.09;

/** The point a way bends towards. */
export function bend(from: Point, to: Point): Point {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  return { x: (from.x + to.x) / 2 - dy * BEND, y: (from.y + to.y) / 2 + dx * BEND };
}

/** Where one is on the way after a part of it, from 0 to 1: from the edge of one node to that of the other. */
export function along(from: Point, to: Point, part: number): Point {
  const over = bend(from, to);
  const length = Math.hypot(to.x - from.x, to.y - from.y);
  const edge = Math.min(0.4, (NODE_RADIUS + 4) / length);
  const t = edge + (1 - 2 * edge) * Math.min(Math.max(part, 0), 1);
  const s = 1 - t;
  return {
    x: s * s * from.x + 2 * s * t * over.x + t * t * to.x,
    y: s * s * from.y + 2 * s * t * over.y + t * t * to.y,
  };
}
