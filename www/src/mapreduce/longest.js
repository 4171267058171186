/** A job of the page's own: for each letter the longest word that begins with it, and of several the first in order. */

export function map(_at, line, emit, { count }) {
  for (const [word] of line.matchAll(/\p{L}+/gu)) {
    const small = word.toLowerCase();
    emit(String.fromCodePoint(small.codePointAt(0)), small);
    count("words");
  }
}

export function reduce(_letter, words) {
  let longest = "";
  for (const word of words) {
    const longer = word.length - longest.length;
    if (longer > 0 || (longer === 0 && word < longest)) longest = word;
  }
  return longest;
}

export const combine = reduce;
