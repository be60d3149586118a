/** Keeps keys out of what hooks say. */

/** Characters in a row that say too much of a key. */
const TELLING = 6;

/** Whether the text has a part of the key in it, as it is or percent-decoded. */
export function tells(text: string, key: string): boolean {
  return hasPartOf(text, key) || (key.includes("%") && hasPartOf(text, decoded(key)));
}

function hasPartOf(text: string, key: string): boolean {
  if (key === "") return false;
  const size = Math.min(TELLING, key.length);
  const parts = new Set<string>();
  for (let i = 0; i + size <= text.length; i++) parts.add(text.slice(i, i + size).toLowerCase());
  for (let i = 0; i + size <= key.length; i++) {
    if (parts.has(key.slice(i, i + size).toLowerCase())) return true;
  }
  return false;
}

function decoded(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
