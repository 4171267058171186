// How the index is made, and how it is asked: build and page must agree.

/** Names are found by their parts, too: `STORAGE_LOST` by `lost`, `leaderTask` by `task`. */
const tokenize = (text) =>
  (text.match(/[\p{L}\p{N}_$]+/gu) ?? []).flatMap((word) => {
    const parts = word.split(/_|(?<=[a-z])(?=[A-Z])/).filter((part) => part !== "");
    return parts.length > 1 ? [word, ...parts] : [word];
  });

export const searchOptions = {
  fields: ["heading", "title", "text"],
  storeFields: ["heading", "title", "start"],
  tokenize,
  searchOptions: {
    boost: { heading: 4, title: 2 },
    prefix: true,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    combineWith: "AND",
  },
};
