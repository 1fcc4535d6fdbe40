/**
 * `npm run smoke -- https://api.example.com`: checks that a deployment works, and exits with 1 if a check fails. With
 * SMOKE_API_KEY or OPERATOR_TOKEN, it also meters an event (`smoke/run.ts`).
 */
import { smoke } from './smoke/run.ts'

async function main(): Promise<number> {
  const [url, ...rest] = process.argv.slice(2)
  if (url === undefined || rest.length > 0 || !/^https?:\/\//.test(url)) {
    throw new Error('usage: npm run smoke -- https://api.example.com')
  }
  return (await smoke(url, process.env, console.log)) ? 0 : 1
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error)
    process.exit(1)
  },
)
