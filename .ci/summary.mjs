// Reads vitest's JSON report and the exit status of the checks; prints the last line of `.ci/run`.
import { readFileSync } from 'node:fs'

const [report, status] = process.argv.slice(2)

function counts() {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, numFailedTestSuites } = JSON.parse(
      readFileSync(report, 'utf8'),
    )
    // A test file that cannot be loaded reports no failed tests, so it counts as one failure.
    const failed = numFailedTests === 0 && numFailedTestSuites > 0 ? numFailedTestSuites : numFailedTests
    return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests }
  } catch {
    return { passed: 0, failed: 0, skipped: 0 }
  }
}

const { passed, failed, skipped } = counts()
const broken = status !== '0' || passed + failed === 0
// A failure outside the tests, for example a type error or a missed coverage threshold, counts as one failure.
const shown = broken && failed === 0 ? 1 : failed
console.log(`${passed} passed, ${shown} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(broken || failed > 0 ? 1 : 0)
