/**
 * Returns at most `count` names that are similar to `wanted`, most similar first, for "did you mean" messages.
 * Similarity is the share of common letter pairs, with a bonus for a common prefix. Omits names that are not similar
 * enough.
 */
export function nearest(wanted: string, names: readonly string[], count: number): string[] {
  const pairs = letterPairs(wanted)
  return names
    .map((name) => ({ name, likeness: likeness(pairs, letterPairs(name)) + commonStart(wanted, name) / 100 }))
    .filter((candidate) => candidate.likeness >= 0.25 && isNear(wanted, candidate.name))
    .sort((a, b) => b.likeness - a.likeness || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name)
}

/**
 * The minimum length of a common beginning that makes two names similar, because unrelated names often have a shorter
 * one. If one name contains the other, the shorter name must be longer than this.
 */
const MIN_SHARED = 3

/**
 * Returns whether one name could be a misspelling of the other. This is true if the names share a beginning of half the
 * length of the shorter name (at least 3, at most 10 letters), if one name contains the other and the shorter name has
 * at least 4 letters, or if they differ in one letter or in at most a third of the letters of the longer name.
 */
function isNear(wanted: string, name: string): boolean {
  const [shorter = '', longer = ''] = [plain(wanted), plain(name)].sort((a, b) => a.length - b.length)
  if (commonStart(shorter, longer) >= Math.max(MIN_SHARED, Math.min(MAX_START, shorter.length / 2)))
    return true
  if (shorter.length > MIN_SHARED && longer.includes(shorter)) return true
  return isWithin(shorter, longer, Math.max(1, Math.floor(longer.length / 3)))
}

/** Returns whether the Levenshtein distance of two texts is at most `edits`. `a` must not be longer than `b`. */
function isWithin(a: string, b: string, edits: number): boolean {
  if (b.length - a.length > edits) return false
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] ?? 0) + (a[i] === b[j] ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return (row[b.length] ?? 0) <= edits
}

function plain(name: string): string {
  return name
    .slice(0, 200)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '')
}

function letterPairs(name: string): Map<string, number> {
  const letters = ` ${plain(name)} `
  const pairs = new Map<string, number>()
  for (let i = 0; i + 1 < letters.length; i++) {
    const pair = letters.slice(i, i + 2)
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1)
  }
  return pairs
}

/** Returns Dice's coefficient of two sets of letter pairs: from 0 (no common pair) to 1 (equal sets). */
function likeness(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): number {
  let common = 0
  let all = 0
  for (const [pair, times] of a) {
    common += Math.min(times, b.get(pair) ?? 0)
    all += times
  }
  for (const times of b.values()) all += times
  return all === 0 ? 0 : (2 * common) / all
}

const MAX_START = 10

function commonStart(a: string, b: string): number {
  let length = 0
  while (
    length < Math.min(a.length, b.length, MAX_START) &&
    a[length]?.toLowerCase() === b[length]?.toLowerCase()
  )
    length++
  return length
}
