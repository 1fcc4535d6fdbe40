/** So many users share the rows of a day: one row for each bucket that a batch of messages touches. */
const USERS_A_BUCKET = 1024

/** Where the cells of a user are; what has no user is with the first. */
export function bucketOf(user_number: number | null): number {
  return Math.floor((user_number ?? 0) / USERS_A_BUCKET)
}
