/** Where things stand in the ring, in its own coordinates. Pure. */

export const NODE_RADIUS = 34;

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** The room of a ring: a phone has another one than a desk, so that nodes and letters stay as large. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  /** Of the ring; where there are several, the place of the clients. */
  readonly center: Point;
  readonly radius: Point;
  /** The middles of several rings. */
  readonly rings?: readonly Point[];
}

export const WIDE: Layout = {
  width: 640,
  height: 480,
  center: { x: 320, y: 242 },
  radius: { x: 244, y: 160 },
};

export const NARROW: Layout = {
  width: 300,
  height: 472,
  center: { x: 150, y: 238 },
  radius: { x: 102, y: 156 },
};

/** Of each of several rings. */
const RADIUS: Point = { x: 78, y: 62 };

export const WIDE_RINGS: Layout = {
  width: 640,
  height: 524,
  center: { x: 320, y: 350 },
  radius: RADIUS,
  rings: [
    { x: 320, y: 148 },
    { x: 126, y: 406 },
    { x: 514, y: 406 },
  ],
};

export const NARROW_RINGS: Layout = {
  width: 300,
  height: 830,
  center: { x: 150, y: 284 },
  radius: RADIUS,
  rings: [
    { x: 150, y: 148 },
    { x: 150, y: 450 },
    { x: 150, y: 712 },
  ],
};

/** The layout for so many pixels, of one ring or of several. */
export function layoutFor(width: number, several = false): Layout {
  if (several) return width < 480 ? NARROW_RINGS : WIDE_RINGS;
  return width < 480 ? NARROW : WIDE;
}

/** Where a node stands, and whether its words are above it: on the outer side, where no messages fly. */
export interface Seat {
  readonly point: Point;
  readonly above: boolean;
}

/** The seats of nodes, group by group. */
export function seats(
  groups: readonly (readonly number[])[],
  layout: Layout,
): ReadonlyMap<number, Seat> {
  return new Map(
    groups.flatMap((nodes, at) => {
      const center = layout.rings?.[at] ?? layout.center;
      const points = places(nodes.length, { ...layout, center });
      return points.map((point, place) => {
        const seat = { point, above: point.y < center.y - 1 };
        return [nodes[place] as number, seat] as const;
      });
    }),
  );
}

/** The places of so many nodes, clockwise from the top. */
export function places(count: number, { center, radius }: Layout): Point[] {
  return Array.from({ length: count }, (_, at) => {
    const angle = (at / count) * 2 * Math.PI - Math.PI / 2;
    return { x: center.x + radius.x * Math.cos(angle), y: center.y + radius.y * Math.sin(angle) };
  });
}

/** How far the way of a message bends to its right, as part of its length: there and back are two ways. */
const BEND = 0.09;

/** After which part of a way the words of its link stand: nearer to where it comes from, so that those of there and back do not meet. */
export const LINK_LABEL = 0.3;

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

/** Where a message is drawn that does not move: at one of three places of its way. */
export function step(part: number): number {
  return part < 1 / 3 ? 0.2 : part < 2 / 3 ? 0.5 : 0.8;
}

/** The dashes of a ring of so many equal segments of which some are filled, as part of a path of length `of`. */
export function segments(filled: number, of: number): string {
  const shown = Math.min(filled, of);
  const gap = of === 1 ? 0 : 0.14;
  return shown === 0 ? `0 ${of}` : `${`${1 - gap} ${gap} `.repeat(shown)}0 ${of}`;
}
