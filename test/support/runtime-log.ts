/**
 * The messages of errors that tests cause on purpose in the runtime. The runtime would print each of them as an
 * uncaught exception with a stack of addresses. Only these exact messages are removed from the output.
 */
const CAUSED_BY_TESTS = [
  // In test/faults: an object is aborted, or its disk refuses a write.
  'the power failed',
  'the machine has failed',
  'the disk is full',
  'the written commit could not be published',
  // In test/faults/d1.test.ts: the balance in the table is too high by one.
  'wallet 2 is broken: its balance is 996 and its lots hold 995',
  // In test/ledger/tables.test.ts: an object of a later deployment, and an object that is too old.
  'the tables of this ledger have version 99, but',
  'the tables of this ledger have no version:',
]

/**
 * The notes about alarms that tests run, a header that is intentionally not ASCII, and the local secrets of each
 * file.
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

/** Removes the expected messages from the output of the vitest process, which receives the log of the runtime. */
export default function setup(): void {
  for (const stream of [process.stdout, process.stderr]) {
    let current = stream.write
    // `write` is an accessor, because vitest replaces it and restores an older function while tests run.
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
