/**
 * Returns the names most similar to `wanted`, best first: by the share of letter pairs that two names have in
 * common, with a bonus for a common prefix. For "did you mean"; linear in the length of the names.
 */
export function nearest(wanted: string, names: readonly string[], count: number): string[] {
  const pairs = letterPairs(wanted.slice(0, 200))
  return names
    .map((name) => ({ name, likeness: likeness(pairs, letterPairs(name)) + commonStart(wanted, name) / 100 }))
    .filter((candidate) => candidate.likeness >= 0.25)
    .sort((a, b) => b.likeness - a.likeness || (a.name < b.name ? -1 : 1))
    .slice(0, count)
    .map(({ name }) => name)
}

function letterPairs(name: string): Map<string, number> {
  const letters = ` ${name.toLowerCase().replace(/[^a-z0-9]/g, '')} `
  const pairs = new Map<string, number>()
  for (let i = 0; i + 1 < letters.length; i++) {
    const pair = letters.slice(i, i + 2)
    pairs.set(pair, (pairs.get(pair) ?? 0) + 1)
  }
  return pairs
}

/** Returns Dice's coefficient. */
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

function commonStart(a: string, b: string): number {
  let length = 0
  while (length < Math.min(a.length, b.length, 10) && a[length]?.toLowerCase() === b[length]?.toLowerCase())
    length++
  return length
}
