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
      /** The first entry of the next part; null for the last part. */
      readonly next: number | null
      readonly checkpoints: number
      readonly hashes: ReadonlyMap<number, string>
    }
  | {
      readonly ok: false
      readonly line: number
      /** The first invalid entry; null if the header line of the export or of a part is invalid. */
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
