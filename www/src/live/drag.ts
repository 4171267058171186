/** Members come and go by hand: a new node is dragged onto the ring, one of it off the ring; or by keys. */

import { find, setText } from "../dom.js";
import { REMOVE } from "../words/live.js";

export interface MemberActions {
  add(): void;
  remove(id: number): void;
}

/** So far a pointer has to go before it drags. */
const SLACK_PX = 6;

/** Elements of nodes say so with `data-node`, in the ring and on the cards. */
export function dragMembers(actions: MemberActions): void {
  const [stage, spare] = [find("stage", HTMLElement), find("spare", HTMLElement)];
  const ghost = find("ghost", HTMLElement);
  const within = ({ clientX: x, clientY: y }: PointerEvent) => {
    const { left, right, top, bottom } = stage.getBoundingClientRect();
    return left <= x && x <= right && top <= y && y <= bottom;
  };
  const drag = (
    begin: PointerEvent,
    name: string,
    hint: (inside: boolean) => string,
    drop: (inside: boolean) => void,
  ) => {
    if (begin.button !== 0) return;
    const end = new AbortController();
    let dragging = false;
    const on = (
      type: "pointermove" | "pointerup" | "pointercancel",
      listener: (event: PointerEvent) => void,
    ) => addEventListener(type, listener, { signal: end.signal });
    const finish = () => {
      end.abort();
      ghost.hidden = true;
      stage.removeAttribute("data-over");
    };
    on("pointermove", (event) => {
      if (event.pointerId !== begin.pointerId) return;
      const far = Math.hypot(event.clientX - begin.clientX, event.clientY - begin.clientY);
      dragging ||= far > SLACK_PX;
      if (!dragging) return;
      event.preventDefault();
      const inside = within(event);
      ghost.hidden = false;
      setText(ghost, `${name}: ${hint(inside)}`);
      ghost.style.transform = `translate(${event.clientX + 12}px, ${event.clientY + 12}px)`;
      stage.toggleAttribute("data-over", inside);
    });
    on("pointerup", (event) => {
      if (event.pointerId !== begin.pointerId) return;
      finish();
      if (dragging) drop(within(event));
    });
    on("pointercancel", finish);
    addEventListener("keydown", ({ key }) => key === "Escape" && finish(), { signal: end.signal });
  };
  spare.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    drag(event, REMOVE.spare, REMOVE.adds, (inside) => inside && actions.add());
  });
  stage.addEventListener("pointerdown", (event) => {
    // A message may be drawn over it.
    const id = document.elementsFromPoint(event.clientX, event.clientY).map(nodeAt).find(Boolean);
    if (id === undefined) return;
    drag(event, REMOVE.node(id), REMOVE.removes, (inside) => inside || confirmRemoval(id, actions));
  });
  find("cluster", HTMLElement).addEventListener("keydown", (event) => {
    const { key, target, ctrlKey, metaKey, altKey } = event;
    if (ctrlKey || metaKey || altKey || (target as Element).matches("input, select, textarea"))
      return;
    const id = nodeAt(target);
    if (key === "a" || key === "A") actions.add();
    else if (key === "Delete" && id !== undefined) confirmRemoval(id, actions);
    else return;
    event.preventDefault();
  });
}

/** The node that an element is of, or within. */
function nodeAt(target: EventTarget | null): number | undefined {
  const element = target instanceof Element ? target.closest("[data-node]") : null;
  const id = Number(element?.getAttribute("data-node"));
  return element === null || !(id > 0) ? undefined : id;
}

/** Asks first: a hand slips easily. */
function confirmRemoval(id: number, actions: MemberActions): void {
  const dialog = find("confirm", HTMLDialogElement);
  if (dialog.open) return;
  setText(find("confirm-text", HTMLElement), REMOVE.sure(id));
  dialog.returnValue = "no";
  dialog.addEventListener(
    "close",
    () => {
      if (dialog.returnValue === "yes") actions.remove(id);
    },
    { once: true },
  );
  dialog.showModal();
}
