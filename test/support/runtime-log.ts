/**
 * The messages of errors that tests cause in the runtime on purpose. The runtime prints each of them as an uncaught
 * exception with a stack of addresses. Only exceptions with these messages are removed from the output.
 */
const CAUSED_BY_TESTS = [
  // Errors of test/faults: an object is aborted, or its disk refuses a write.
  'the power failed',
  'the machine has failed',
  'the disk is full',
  'the written commit could not be published',
  // An error of test/faults/d1.test.ts: the stored balance of a wallet is too high by one.
  'wallet 2 is broken: its balance is 996 and its lots hold 995',
  // Errors of test/ledger/tables.test.ts: the tables of an object are newer than the code, or they have no version.
  'the tables of this ledger have version 99, but',
  'the tables of this ledger have no version:',
  // An error of test/rating/late-rating.test.ts: the unrated events of a ledger are damaged.
  'malformed JSON: SQLITE_ERROR',
]

/**
 * Matches notes of the runtime that are expected: about alarms, about the local secrets of each test file, and about a
 * header that is not ASCII on purpose.
 */
const NOTES = [
  /^NOSENTRY SQLite alarm /,
  /^Using secrets defined in /,
  /^A header value for "Idempotency-Key" contains non-ASCII characters: "café" /,
]

const MESSAGE =
  /^(?:uncaught exception;|NOSENTRY |A header value for |Using secrets )[^\n]*(?:\n(?:stack: | {4}at )[^\n]*)*\n?/gm

export function withoutExpected(text: string): string {
  return text.replace(MESSAGE, (message) => (isExpected(message) ? '' : message))
}

function isExpected(message: string): boolean {
  const [first = ''] = message.split('\n', 1)
  if (NOTES.some((note) => note.test(first))) return true
  return (
    first.startsWith('uncaught exception;') && CAUSED_BY_TESTS.some((error) => first.includes(`: ${error}`))
  )
}

/** Removes expected messages from the output of the vitest process, to which the runtime writes its log. */
export default function setup(): void {
  for (const stream of [process.stdout, process.stderr]) {
    let current = stream.write
    // Defines `write` as an accessor, because vitest replaces the function and later restores an older one.
    Object.defineProperty(stream, 'write', {
      configurable: true,
      get:
        () =>
        (chunk: unknown, ...rest: unknown[]) =>
          Reflect.apply(current, stream, [
            typeof chunk === 'string' ? withoutExpected(chunk) : chunk,
            ...rest,
          ]),
      set: (write: typeof current) => {
        current = write
      },
    })
  }
}
