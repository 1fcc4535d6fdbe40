/**
 * Errors that tests cause on purpose inside the runtime. The runtime prints each as an uncaught exception with a stack
 * of addresses, although the test expects it. Only these exact messages are dropped; any other exception is printed.
 */
const CAUSED_BY_TESTS = [
  // test/faults: an object that is aborted, or whose disk refuses a write.
  'the power failed',
  'the machine has failed',
  'the disk is full',
  'what was committed could not be published',
  // test/faults/d1.test.ts: the balance in the table is one too high.
  'wallet 2 is broken: its balance is 996 and its lots hold 995',
  // test/ledger/tables.test.ts: an object of a later deployment, and one that is too old.
  'the tables of this ledger are of version 99 and',
  'the tables of this ledger have no version:',
]

/** Notes about alarms that tests ring by hand, a header that is not ASCII on purpose, and each file's local secrets. */
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

/** Drops the expected messages from the output of vitest's own process, where the log of the runtime arrives. */
export default function setup(): void {
  for (const stream of [process.stdout, process.stderr]) {
    let current = stream.write
    // An accessor, because vitest replaces `write` and puts an older one back while tests run.
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
