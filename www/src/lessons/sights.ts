/** What lessons look for in pictures. Pure. */

import { leaderOf } from "../simulator/commit.js";
import { termOf } from "../stage/strips.js";
import type { Sight } from "./director.js";

/** One and the other. */
export const both =
  (one: Sight, other: Sight): Sight =>
  (picture, board) =>
    one(picture, board) && other(picture, board);

export const somebodyAsks: Sight = ({ nodes }) =>
  nodes.some(({ role, state }) => role === "preCandidate" && state === "running");

export const somebodyStands: Sight = ({ nodes }) =>
  nodes.some(({ role, state }) => role === "candidate" && state === "running");

export const somebodyLeads: Sight = ({ nodes }) => leaderOf(nodes) !== undefined;

export const nobodyLeads: Sight = ({ nodes }) => leaderOf(nodes) === undefined;

/** All that run know the leader, and have all that it has. */
export const allAgree: Sight = ({ nodes }) => {
  const leader = leaderOf(nodes);
  const able = nodes.filter(({ state, part }) => state === "running" && part !== "none");
  return (
    leader !== undefined &&
    able.every(
      ({ leader: known, log }) =>
        known === leader.id && log.commit === leader.log.last && log.applied === log.commit,
    )
  );
};

/** A node leads. */
export const leads =
  (id: number): Sight =>
  ({ nodes }) =>
    leaderOf(nodes)?.id === id;

/** Another node than this one leads, in a later term. */
export const anotherLeads =
  (id: number): Sight =>
  ({ nodes }) => {
    const leader = leaderOf(nodes);
    return leader !== undefined && leader.id !== id;
  };

/** A node's log reaches an entry, on disk. */
export const has =
  (id: number, index: number): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && node.log.persisted >= index);

/** A node's log ends with an entry, on disk or not. */
export const holds =
  (id: number, index: number): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && node.log.last >= index);

/** A node knows that an entry is committed. */
export const knowsCommitted =
  (id: number, index: number): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && node.log.commit >= index);

/** A node's entry is of a term. */
export const hasOfTerm =
  (id: number, index: number, term: number): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && termOf(node.log, index) === term);

/** A node is in a role. */
export const isA =
  (id: number, role: string): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && node.role === role);

/** A node has voted for another. */
export const votedFor =
  (id: number, candidate: number): Sight =>
  ({ nodes }) =>
    nodes.some((node) => node.id === id && node.vote === candidate);

/** A message of this kind is under way from one node to another. */
export const flies =
  (kind: string, from: number, to: number): Sight =>
  ({ flights }) =>
    flights.some((flight) => flight.kind === kind && flight.from === from && flight.to === to);
