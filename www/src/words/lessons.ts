/** The words of the lessons. Pure. */

/** A lesson in words: what is said at each of its moments, and what is to be tried. */
export interface LessonWords {
  readonly title: string;
  /** Where it is written. */
  readonly section: string;
  readonly says: Readonly<Record<string, string>>;
  /** One thing to try. */
  readonly task: string;
  readonly done: string;
  /** What the same lesson shows without the rule, where it can be switched off. */
  readonly without?: string;
}

export const LESSON_WORDS = {
  election: {
    title: "An election",
    section: "§5.2",
    says: {
      timers:
        "Three nodes have just started, and nobody leads. Around each a ring drains: its election timer. Each drew another time, so that one will be first.",
      asks: "A timer has fired. Before it stands, this node asks the others whether they would vote for it: a pre-vote, which changes nothing anywhere.",
      stands:
        "They would. It begins a new term, votes for itself, and asks for votes: it is a candidate. A node has one vote in a term, and writes it to its disk before it answers.",
      leads:
        "Two of three votes are a majority. It leads, and no other node can have a majority in this term.",
      heartbeats:
        "With its first entry, which does nothing, it shows that it can commit. From now on its heartbeats fill the timers of the others before they run out.",
    },
    task: "Make another node lead: crash the leader, and wait for a timer.",
    done: "A later term has another leader. Start the old one again: it follows, without a word of protest.",
  },
  splitVote: {
    title: "A split vote",
    section: "§5.2",
    says: {
      two: "Four nodes. Two of their timers fire at the same moment.",
      stand:
        "Both stand in the same term. Each has voted for itself, and nobody takes a vote back.",
      split:
        "One of the others voted for n1, one for n2. It takes three of four: nobody wins this term.",
      again:
        "They wait, each for another time, and the one that is first wins the next term. Chance is what ends a tie.",
    },
    task: "Crash the leader and one more: two of four are no majority. Does anybody win now?",
    done: "Nobody can. Four nodes survive the loss of one, no more than three do: the fourth costs, and gives nothing.",
  },
  replication: {
    title: "A write and its way",
    section: "§5.3",
    says: {
      asks: "n1 leads. A client asks it to store x=1.",
      appends:
        "The leader appends it to its log, and sends it to the others while its own disk still writes.",
      follows: "The others append it, too. They answer only when their disks have it.",
      commits:
        "The leader knows of a majority that has it on disk: it is committed, and cannot be lost any more. Now it is applied, and now the client is answered.",
      all: "With the next message the others hear that it is committed, and apply it. All logs are the same, and so are all stores.",
    },
    task: "Crash n3, then store another value. Does it take effect?",
    done: "Two of three are enough. Start n3 again, and see how it gets what it lacks.",
  },
  minorityLeader: {
    title: "A leader without a majority",
    section: "§5.4, §8",
    says: {
      before:
        "Five nodes agree; n1 leads. Now the network falls apart: n1 and n2 here, n3, n4 and n5 there.",
      stuck:
        "A client asked n1 to store a value. It is on two disks, and will never be on three: n1 cannot commit it, and does not answer.",
      two: "The three have elected a leader in a later term. Two nodes believe that they lead, but only one of them can do anything.",
      steps: "n1 has not heard a majority for too long, and steps down by itself.",
      healed:
        "The network is whole again. The entry that was never committed is gone; what n1 had promised, it kept: nothing.",
    },
    task: "Crash the leader and one more. Can the rest go on?",
    done: "Three of five go on. Two more crashes and nobody would: rather no answer than a wrong one.",
  },
  repair: {
    title: "Logs that differ",
    section: "§5.3, Figure 7",
    says: {
      before:
        "n1 leads. It is about to be cut off, and clients who do not know that keep on asking.",
      alone: "Six entries are in the log of n1, and nowhere else. It crashes.",
      apart:
        "Another node led meanwhile, and took other entries in a later term. The two logs agree only at their beginning.",
      refuses:
        "n1 is back. The leader sends entries that would follow its newest; n1 refuses, since it has not what comes before. With the refusal it says where its log can agree at all, so that the leader need not go back one by one.",
      repaired:
        "Where they differ, the leader's log wins. What n1 had alone was never committed, so nobody was told that it was.",
    },
    task: "Crash the leader, wait for the next one, and start it again. Are all logs the same in the end?",
    done: "They are. Nothing that is committed was lost on the way.",
    without: "Without the hint: the leader goes back one entry at a time",
  },
  figure8: {
    title: "Figure 8: old entries are not counted",
    section: "§5.4.2, Figure 8",
    says: {
      start:
        "Five nodes agree. What follows is the most subtle rule of Raft; the paper needed a figure for it.",
      a: "(a) n1 leads. Its newest entry has reached n2 only, when n1 crashes.",
      b: "(b) n5 is elected by n3 and n4, who know nothing of that entry. It takes another one at the same place, which reaches nobody, and crashes.",
      c: "(c) n1 is back, leads in a later term, and goes on copying its old entry. Now a majority has it on disk.",
      d: "And still it was not committed by that: n5 could have come back, won with its later term, and replaced it. Only when an entry of the leader's own term is on a majority, all before it is safe, too.",
      end: "Now it is. n5 is back as well: its own entry was never committed, and is gone.",
    },
    task: "Hand leadership over to n5: select it, and press “Make leader”.",
    done: "It has all that is committed: or it could not lead.",
    without: "Without the rule: a leader commits old entries by counting",
  },
  persistence: {
    title: "A vote must not be forgotten",
    section: "§5.2, Figure 2",
    says: {
      before: "n1 and n3 stand for the same term. n2 hears n1 soon, and n3 late.",
      voted: "n2 votes for n1, and writes that to its disk before the answer leaves.",
      crashed: "n2 crashes, and starts again at once. What it had in memory is gone.",
      asked:
        "Now it hears that n3 asks for its vote in the same term. Its disk remembers: the vote is given. Had it forgotten, both could lead in one term.",
      end: "One leader for one term.",
    },
    task: "Let n2 lead: let its timer fire, or make it leader.",
    done: "n2 leads in a later term.",
    without: "Without the disk: the vote is forgotten by a crash",
  },
  snapshots: {
    title: "Snapshots",
    section: "§7",
    says: {
      down: "n3 is down. The others go on, and their logs grow.",
      compacted:
        "Every ten entries a node writes its state into a snapshot, and drops the entries behind it.",
      sent: "n3 is back, and needs entries that nobody has any more. The leader sends it the snapshot in their place.",
      installed:
        "n3 has replaced its state by the snapshot: it need not know how the state came about.",
      end: "From there on it is sent entries again, as everybody.",
    },
    task: "Store a dozen values, until the others take their next snapshots.",
    done: "A log that is cut at its beginning never ends.",
  },
  preVote: {
    title: "A node comes back",
    section: "thesis §9.6",
    says: {
      before: "n1 leads. n3 is about to be alone.",
      alone:
        "Its timer fires. It asks whether it could win; nobody answers, so it does not stand, and its term stays as it is.",
      long: "However long it asks, its term does not grow.",
      back: "It is back, and disturbs nobody: the others hear their leader, and tell it so. With a term that had grown it would have deposed a leader that worked.",
    },
    task: "Make n3 lead, in the proper way.",
    done: "The old leader handed over when n3 had all that it had.",
    without: "Without pre-votes: the term grows, and the leader is deposed",
  },
  members: {
    title: "Members come and go",
    section: "§6",
    says: {
      before:
        "Five nodes, and n5 is to go. If each node changed its mind at another moment, two halves could decide apart from each other.",
      joint:
        "So first both memberships decide together: whatever is agreed on needs a majority of the old one and one of the new one.",
      gone: "When that is committed, the new one decides alone. Four are left.",
      learns:
        "n5 comes back: as a learner, which gets everything and has no vote, until it has caught up.",
      end: "Five again. At no moment could two leaders have been elected.",
    },
    task: "Remove n1, the leader itself.",
    done: "It handed over, and left. The others chose among themselves.",
  },
  reads: {
    title: "Reads that are not stale",
    section: "§8, thesis §6.4",
    says: {
      before:
        "x is old. n1 leads, and soon nobody will hear it, though it will not know that for a while.",
      behind: "The others have elected another leader, and x is new. n1 still has the old value.",
      asked:
        "Many clients ask for x, and some of them ask n1. Before a node answers, it makes sure that it leads, or asks who does: a majority has to confirm it. n1 gets no answer, so it gives none.",
      answered:
        "So nobody was told anything old. All who asked were answered by the next leader: new.",
    },
    task: "Store three more values, and look at what clients saw: each read fits between two writes.",
    done: "One order explains everything: that is what linearizable means.",
    without: "Without asking: whoever believes to lead answers at once",
  },
  sessions: {
    title: "Exactly once",
    section: "§8",
    says: {
      before: "n is 1. A client asks to add 1.",
      committed: "It is committed, and about to be applied. n will be 2.",
      lost: "The answer is lost, and the leader crashes. The client cannot know whether it took effect.",
      again:
        "So it asked the next leader again, with the same number. Its session is part of the replicated state: the number was there already, and the old answer was given.",
      once: "n is 2, not 3.",
    },
    task: "Start n1 again.",
    done: "It has the same session, the same numbers, the same state.",
    without: "Without sessions: what is asked twice is done twice",
  },
  shards: {
    title: "Shards that move",
    section: "docs: Sharding",
    says: {
      groups:
        "One group is as fast as one leader. So keys are spread over shards, and shards over groups, each a cluster by itself. A third one, the controller, keeps no keys: only the table that says whose each shard is. Now group 1 has all four.",
      keys: "Clients stored six keys. Into which shard a key goes says its hash, and nothing else ever will: what moves are shards.",
      decided:
        "Group 2 has joined. That is one entry in the controller's log: configuration 2, by which two of the four shards are to be its own. Nothing has moved yet.",
      copied:
        "The groups have heard of it. Group 1 goes on serving the shards that leave, while the leader of group 2 fetches them, piece by piece, and puts each piece into the log of its own group: a crash there loses nothing.",
      frozen:
        "One shard is there but for what changed meanwhile. Only for that it is frozen: for a moment nobody serves it. Just now a client appends to a key in it, and has to wait.",
      arrived:
        "With the last piece group 2 serves it; group 1 may delete what it has. At no moment did two groups serve one shard. Its sessions came along, so that what a client asks twice is still done once.",
      followed:
        "The client was told that the shard is not there any more, found group 2, and was answered. It never knew of groups.",
      end: "Both are done, and say so to the controller. Only now could the next configuration begin.",
    },
    task: "Go back to where shards are copied, and crash the leader of group 1 or group 2.",
    done: "The next leader went on where its log said the move stood. Every shard is served once, and no key is lost.",
  },
  job: {
    title: "A MapReduce job",
    section: "MapReduce (OSDI 2004); docs: MapReduce",
    says: {
      waits:
        "Three workers wait for something to do. Who gives it to them, the coordinator, was the one that must not fail in the paper. Here it is a replicated state machine on three nodes; n1 leads.",
      maps: "A job is there: how often does each word occur in six lines? Each line is a map task. Workers ask, and each has got one, under a lease. What they store is named after the attempt, so that no two ever write one file.",
      dies: "Worker 3 is dead, without a word. Nobody knows yet.",
      again:
        "It was not heard for as long as a lease lasts, by the time in the log, so its attempt is over, and another worker has the task.",
      leader: "Now n1 crashes, which led the coordinators.",
      goesOn:
        "Another node leads, and has the same table: every task, every attempt, every winner. Workers ask again; nothing that was done is done once more.",
      reduces:
        "All lines are mapped. Three reduce tasks add up what the winners of the maps stored, each for a third of the words.",
      backup:
        "Worker 2 has become slow. When most of its kind are done, the slowest task is given to a second worker as well: a backup. Whoever is first wins, and exactly one does.",
      end: "All was reduced, and published once, by one last task. The counts are those of the whole text, whoever died on the way.",
    },
    task: "Go back to the maps, and kill a second worker. Is any word counted twice, or not at all?",
    done: "The same counts. It took longer, and that is all.",
  },
} as const satisfies Readonly<Record<string, LessonWords>>;

export type LessonId = keyof typeof LESSON_WORDS;

export const LESSONS_PAGE = {
  list: "Lessons",
  step: (at: number, count: number) => `${at} of ${count}`,
  back: "Back",
  next: "Next",
  following: "Next lesson",
  task: "Try it",
  again: "Begin this lesson again",
  simulator: "Open this moment in the simulator",
  with: "With the rule",
  staging: "The scene is being set…",
  unplayed: "This scene cannot be played here. What would be said:",
} as const;

/** What is said at a moment of a lesson. */
export function said(id: LessonId, says: string): string {
  const words: LessonWords = LESSON_WORDS[id];
  return words.says[says] ?? says;
}
