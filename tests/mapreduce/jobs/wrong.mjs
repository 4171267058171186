// Does with each record what it says.

const shapes = {
  key: (emit) => emit(5, 1),
  long: (emit) => emit("x".repeat((1 << 20) + 1), 1),
  value: (emit) => emit("a", () => {}),
  nothing: (emit) => emit("a"),
  partition: (emit) => emit("nowhere", 1),
  combine: (emit) => emit("uncombined", 1),
  result: (emit) => emit("a", "cannot be written"),
  fine: (emit) => emit("b", "fine"),
};

export const map = (_at, line, emit) => shapes[line](emit);
export const partition = (key) => (key === "nowhere" ? 7 : 0);
export const combine = (key, [value]) => (key === "uncombined" ? undefined : value);
export const reduce = (_key, [value]) => (value === "fine" ? value : Number.NaN);
