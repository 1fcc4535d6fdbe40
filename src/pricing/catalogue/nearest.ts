/**
 * Returns the names that are most similar to `wanted`, best first, for "did you mean" messages. Similarity is the
 * share of common letter pairs, with a bonus for a common prefix. Names that are not similar enough are left out.
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
 * The minimum length of a common beginning or part. Shorter beginnings and parts are often common to unrelated names.
 */
const MIN_SHARED = 3

/**
 * Returns whether a name may be a misspelling of another name. Such names have a common beginning of half of the
 * shorter name (3 to 10 letters), or one name contains the other, or they differ in at most a third of the letters.
 */
function isNear(wanted: string, name: string): boolean {
  const [shorter = '', longer = ''] = [plain(wanted), plain(name)].sort((a, b) => a.length - b.length)
  if (commonStart(shorter, longer) >= Math.max(MIN_SHARED, Math.min(MAX_START, shorter.length / 2)))
    return true
  if (shorter.length > MIN_SHARED && longer.includes(shorter)) return true
  return isWithin(shorter, longer, Math.max(1, Math.floor(longer.length / 3)))
}

/**
 * Returns whether adding, removing or replacing at most `edits` letters makes the texts equal (Levenshtein distance).
 */
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

/** Returns Dice's coefficient of two sets of letter pairs. */
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
