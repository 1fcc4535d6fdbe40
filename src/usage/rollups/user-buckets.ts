/** So many users of consecutive numbers share a row of a day … */
const USERS_A_BUCKET = 1024
/** … and there are no more of them, so that a batch of messages writes a bounded number of rows, however many users. */
const BUCKETS = 32

/** Where the cells of a user are; what has no user is with the first. */
export function bucketOf(user_number: number | null): number {
  return Math.floor((user_number ?? 0) / USERS_A_BUCKET) % BUCKETS
}
