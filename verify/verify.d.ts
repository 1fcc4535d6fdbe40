export interface PublicKey {
  readonly kid: string
  readonly x: string
}

export type ExportResult =
  | {
      readonly ok: true
      readonly ledger: string
      readonly from: number
      readonly to: number
      /** The number of the first entry of the next part; null for the last part. */
      readonly next: number | null
      readonly checkpoints: number
      readonly hashes: ReadonlyMap<number, string>
    }
  | {
      readonly ok: false
      readonly line: number
      /**
       * The number of the entry after the last valid entry; null if the first line of a part is missing, invalid, or
       * contradicts a checkpoint.
       */
      readonly entry: number | null
      readonly problem: string
    }

export type ReceiptResult =
  | {
      readonly ok: true
      readonly ledger: string
      readonly entry: number
      readonly hash: string
      readonly claims: object
    }
  | { readonly ok: false; readonly problem: string }

export function verifyExport(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  keys: readonly PublicKey[],
): Promise<ExportResult>

export function verifyReceipt(receipt: string, keys: readonly PublicKey[]): Promise<ReceiptResult>
