/** Why something came out as it did, in a sentence, and where it is written. Pure. */

import type { Why } from "../sim/chunk.js";

/** A sentence, and the section of the paper (In Search of an Understandable Consensus Algorithm), or of the thesis. */
export interface Explanation {
  readonly text: string;
  readonly section: string;
}

const THESIS = "thesis ";

type Facts = Why["facts"];

const REASONS: Readonly<Record<Why["reason"], (facts: Facts) => readonly [string, string]>> = {
  voteGranted: ({ candidate, term }) => [
    `It votes for n${candidate}: it had not voted in term ${term}, and n${candidate}'s log is not behind its own.`,
    "§5.2, §5.4.1",
  ],
  voteRefusedTerm: ({ candidate, term, own }) => [
    `No vote for n${candidate}: it asks for term ${term}, and term ${own} has begun already.`,
    "§5.1",
  ],
  voteRefusedVoted: ({ candidate, term, voted }) => [
    voted === 0
      ? `No vote for n${candidate}: it knows a leader of term ${term}.`
      : `No vote for n${candidate}: in term ${term} it has voted for n${voted}, and a node has one vote in a term.`,
    "§5.2",
  ],
  voteRefusedLog: ({ candidate, lastTerm, lastIndex, ownTerm, ownIndex }) => [
    `No vote for n${candidate}: its log ends with entry ${lastIndex} of term ${lastTerm}, ${older(lastTerm, ownTerm)} entry ${ownIndex} of term ${ownTerm} here. A leader must have all that is committed.`,
    "§5.4.1",
  ],
  voteRefusedLeader: ({ candidate, leader }) => [
    `No vote for n${candidate}: it has just heard n${leader}, so it does not listen to who would depose it.`,
    `§6, ${THESIS}§4.2.3`,
  ],
  voteRefusedMember: ({ candidate }) => [
    `No vote for n${candidate}: it has no vote to give.`,
    "§6",
  ],
  preVoteGranted: ({ candidate, term }) => [
    `It would vote for n${candidate} in term ${term}. That costs nothing yet: neither term nor vote changes.`,
    `${THESIS}§9.6`,
  ],
  preVoteRefusedTerm: ({ candidate, term, own }) => [
    `It would not vote for n${candidate}: term ${term} is not later than its own, ${own}.`,
    `${THESIS}§9.6`,
  ],
  preVoteRefusedLeader: ({ candidate, leader }) => [
    `It would not vote for n${candidate}: it still hears the leader n${leader}. So who comes back from a partition disturbs nobody.`,
    `${THESIS}§9.6`,
  ],
  preVoteRefusedLog: ({ candidate, lastTerm, lastIndex, ownTerm, ownIndex }) => [
    `It would not vote for n${candidate}: its log ends with entry ${lastIndex} of term ${lastTerm}, ${older(lastTerm, ownTerm)} entry ${ownIndex} of term ${ownTerm} here.`,
    `${THESIS}§9.6, §5.4.1`,
  ],
  appendAccepted: ({ leader, matched }) => [
    `Its log now agrees with that of n${leader} up to entry ${matched}.`,
    "§5.3",
  ],
  appendRejectedTerm: ({ leader, term, own }) => [
    `It refuses: n${leader} leads in term ${term}, and term ${own} has begun. With the answer n${leader} learns that its time is over.`,
    "§5.1",
  ],
  appendRejectedPrev: ({ prevTerm, prevIndex, ownLast }) => [
    (ownLast ?? 0) < (prevIndex ?? 0)
      ? `It refuses: the entries would follow entry ${prevIndex} of term ${prevTerm}, and its log ends with ${ownLast}. A log has no gaps; the leader goes back to where both agree.`
      : `It refuses: its entry ${prevIndex} is not of term ${prevTerm}. The leader goes back to where both agree, and replaces what comes after.`,
    "§5.3",
  ],
  messageStale: ({ from, term, own }) => [
    `It pays no attention: n${from} speaks in term ${term}, and term ${own} has begun.`,
    "§5.1",
  ],
  termLearned: ({ from, term, before }) => [
    from === 0
      ? `It goes on from term ${before} to term ${term}.`
      : `From n${from} it learns of term ${term}; its own was ${before}. Whatever it was, it follows now.`,
    "§5.1",
  ],
  committed: ({ index, before }) => [
    `All up to entry ${index} is committed now (before: ${before}): a majority has it on disk, and it cannot be lost any more.`,
    "§5.3, §5.4.2",
  ],
  electionTimedOut: ({ term }) => [
    `It has heard no leader for as long as its timer ran, and asks whether it could win an election. Its term is ${term}.`,
    "§5.2",
  ],
  becameLeader: ({ term, votes }) => [
    `It leads in term ${term}: ${votes} voted for it, a majority. Nobody else can have one in this term.`,
    "§5.2",
  ],
  steppedDown: ({ term, before }) => [
    term === before
      ? "It steps down: it has not heard a majority for too long, so another may lead already."
      : `It steps down: term ${term} has begun, and it led in term ${before}.`,
    `§5.1, ${THESIS}§6.2`,
  ],
  snapshotInstalled: ({ index }) => [
    `The leader did not keep the entries that it lacks. It takes a snapshot of the state up to entry ${index} in their place.`,
    "§7",
  ],
  waitsForDisk: ({ persisted, last }) => [
    `It has the entries up to ${last}, but its disk only those up to ${persisted}. It answers when they cannot be lost with it.`,
    "Figure 2",
  ],
};

function older(theirs = 0, own = 0): string {
  return theirs < own ? "older than" : "shorter than";
}

export function explain({ reason, facts }: Why): Explanation {
  const told = REASONS[reason];
  // A module of another version may know more reasons.
  const [text, section] = told === undefined ? [reason, ""] : told(facts);
  return { text, section };
}
