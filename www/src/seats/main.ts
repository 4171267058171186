/** Seats, booked from several tabs. Each tab is a node; what it shows is what the cluster has agreed on. */

import { broadcastChannel, Node, QuorateError } from "quorate";

import { find, make, setAttribute, setEnabled, setText } from "../dom.js";
import { type Buyer, Hall, type Seat } from "./hall.js";

const ROWS = ["A", "B", "C", "D", "E", "F"];
const COLUMNS = 10;
/** How often the summary is brought up to date beside what the node tells by itself, in milliseconds. */
const LOOK = 1_000;
/** At most so many seats are held in a tab. */
const AT_ONCE = 8;

const summary = find("summary", HTMLParagraphElement);
const announcer = find("announcer", HTMLParagraphElement);
const answer = find("answer", HTMLParagraphElement);
const name = find("name", HTMLInputElement);
const buy = find("buy", HTMLButtonElement);
const release = find("release", HTMLButtonElement);
const auto = find("auto", HTMLButtonElement);
const tickets = find("tickets", HTMLUListElement);

/** The tab's order, which outlives a reload. */
const order = remembered("order", () => crypto.randomUUID());
name.value = remembered("name", () => `Guest ${Math.floor(Math.random() * 900) + 100}`);
name.addEventListener("change", () => sessionStorage.setItem("name", name.value));

/** What is claimed, as the cluster told it last. */
const claims = new Map<string, Seat>();
const buttons = new Map<string, HTMLButtonElement>();
let painting = false;

for (const row of ROWS) {
  for (let column = 1; column <= COLUMNS; column++) {
    const seat = `${row}${column}`;
    const button = make("button", { type: "button", class: "seat", "data-seat": seat }, seat);
    button.addEventListener("click", () => choose(seat));
    buttons.set(seat, button);
  }
}
find("seats", HTMLFieldSetElement).append(...buttons.values());
paint();

const node = await open();
const hall = new Hall(node.kv);

buy.form?.addEventListener("submit", (event) => {
  event.preventDefault();
  void buyHeld();
});
release.addEventListener("click", () => void letGo());
auto.addEventListener("click", () => {
  const on = auto.getAttribute("aria-pressed") !== "true";
  auto.setAttribute("aria-pressed", String(on));
  if (on) void bookByItself();
});
find("reset", HTMLButtonElement).addEventListener("click", () =>
  attempt("Emptying the hall", async () => {
    await hall.reset();
    return "The hall is empty.";
  }),
);
for (const type of ["leaderchange", "memberchange", "nodeup", "nodedown", "halted"] as const)
  node.addEventListener(type, () => void look());
setInterval(() => document.hidden || look(), LOOK);
void look();
void hall.follow(
  (seat, now) => {
    if (now === undefined) claims.delete(seat);
    else claims.set(seat, now);
    paint();
  },
  () => claims.clear(),
  new AbortController().signal,
);

/** Opens this tab's node. What stands in the way is told. */
async function open(): Promise<Node> {
  try {
    return await Node.open({ cluster: "seats", transport: broadcastChannel() });
  } catch (error) {
    setText(summary, `This tab cannot take part: ${sentence(error)}`);
    throw error;
  }
}

/** The seats that are held for this tab, with the revisions of their holds. */
function held(): Map<string, number> {
  const ours = [...claims].filter(([, { claim }]) => claim.order === order && !claim.sold);
  return new Map(ours.map(([seat, { revision }]) => [seat, revision]));
}

function buyer(): Buyer {
  return { by: name.value.trim() || "Guest", order };
}

async function choose(seat: string): Promise<void> {
  const now = claims.get(seat);
  if (now !== undefined && (now.claim.sold || now.claim.order !== order)) return;
  if (now === undefined && held().size >= AT_ONCE) {
    tell("failed", `${AT_ONCE} seats at a time: buy those first, or let them go.`);
    return;
  }
  await attempt(`Seat ${seat}`, async () => {
    if (now !== undefined) {
      await hall.release(seat, now.revision);
      return `You let ${seat} go.`;
    }
    const revision = await hall.hold(seat, buyer());
    return revision === null
      ? `${seat} is taken: somebody was faster.`
      : `${seat} is held for you, for half a minute.`;
  });
}

async function buyHeld(seats = held()): Promise<void> {
  if (seats.size === 0) return;
  const list = [...seats.keys()].join(", ");
  await attempt(`Buying ${list}`, async () =>
    (await hall.buy(seats, buyer()))
      ? `Bought ${list}.`
      : `Not bought: one of ${list} was no longer held for you.`,
  );
}

async function letGo(): Promise<void> {
  await attempt("Letting go", async () => {
    for (const [seat, revision] of held()) await hall.release(seat, revision);
    return "Nothing is held for you any more.";
  });
}

/** Books one free seat after the other until the hall is full, or the button is pressed again. */
async function bookByItself(): Promise<void> {
  while (auto.getAttribute("aria-pressed") === "true") {
    const free = [...buttons.keys()].filter((seat) => !claims.has(seat));
    const seat = free[Math.floor(Math.random() * free.length)];
    if (seat === undefined && held().size === 0) break;
    if (seat !== undefined) {
      await attempt(`Seat ${seat}`, async () => {
        const revision = await hall.hold(seat, buyer());
        if (revision === null) return `${seat} is taken: somebody was faster.`;
        const bought = await hall.buy(new Map([[seat, revision]]), buyer());
        return bought ? `Bought ${seat}.` : `Not bought: ${seat} was no longer held for you.`;
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 150));
  }
  auto.setAttribute("aria-pressed", "false");
}

/** Does what was asked for, and says what came of it. */
async function attempt(what: string, work: () => Promise<string>): Promise<void> {
  tell("waiting", `${what}…`);
  try {
    tell("done", await work());
  } catch (error) {
    tell("failed", `${what}: ${sentence(error)}`);
  }
}

function tell(kind: "waiting" | "done" | "failed", text: string): void {
  setAttribute(answer, "data-kind", kind);
  setText(answer, text);
}

function sentence(error: unknown): string {
  if (!(error instanceof QuorateError)) return String(error);
  const open = error.outcome === "unknown" ? " It may have happened all the same: look." : "";
  return `${error.message} (${error.code}).${open}`;
}

/** Which node this is, who leads, and who votes. */
async function look(): Promise<void> {
  try {
    const { members, leader } = await node.status({ timeout: LOOK });
    const voters = members.voters.join(", ");
    const lead =
      leader === null ? "nobody leads" : leader === node.id ? "it leads" : `node ${leader} leads`;
    const more = members.learners.length > 0 ? `; learning: ${members.learners.join(", ")}` : "";
    setText(summary, `This tab runs node ${node.id}; ${lead}. Voters: ${voters}${more}.`);
  } catch (error) {
    setText(summary, `This tab's node does not answer: ${sentence(node.reason ?? error)}`);
  }
}

function paint(): void {
  if (painting) return;
  painting = true;
  // Not by frames, of which a hidden tab has none: its title and what it reads out shall be true.
  setTimeout(() => {
    painting = false;
    show();
  }, 16);
}

function show(): void {
  let sold = 0;
  const bought: string[] = [];
  for (const [seat, button] of buttons) {
    const claim = claims.get(seat)?.claim;
    const ours = claim?.order === order;
    if (claim?.sold) sold++;
    if (claim?.sold && ours) bought.push(seat);
    const [is, words] =
      claim === undefined
        ? ["free", "free"]
        : claim.sold
          ? ours
            ? ["bought", "yours"]
            : ["sold", `sold to ${claim.by}`]
          : ours
            ? ["mine", "held for you"]
            : ["held", `held by ${claim.by}`];
    setAttribute(button, "data-is", is);
    setAttribute(button, "aria-label", `${seat}: ${words}`);
    setAttribute(button, "title", words);
    setEnabled(button, is === "free" || is === "mine");
  }
  setText(find("count", HTMLParagraphElement), `${sold} of ${buttons.size} seats are sold`);
  document.title = `Quorate: ${sold} of ${buttons.size} seats`;
  setEnabled(buy, held().size > 0);
  setEnabled(release, held().size > 0);
  const list = bought.join(", ");
  if (tickets.dataset.list === list) return;
  tickets.dataset.list = list;
  tickets.replaceChildren(...bought.map((seat) => make("li", {}, seat)));
  setText(announcer, list === "" ? "" : `Your seats: ${list}`);
}

function remembered(key: string, make: () => string): string {
  const value = sessionStorage.getItem(key) ?? make();
  sessionStorage.setItem(key, value);
  return value;
}
