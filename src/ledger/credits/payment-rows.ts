import type { RecordedPayment } from '../model/journal.ts'
import { parseStored } from '../model/json.ts'
import type { Exec } from '../tables.ts'

const READ = 'SELECT payment FROM payments WHERE reference = ?'
// Writes 1 row for a purchase with a payment reference. The row is never deleted.
const ADD = 'INSERT INTO payments (reference, payment) VALUES (?, ?)'

/**
 * The payments of purchases, by payment reference. A payment adds credits only once, even if it is reported repeatedly
 * or late.
 */
export class PaymentRows {
  private readonly exec: Exec

  constructor(exec: Exec) {
    this.exec = exec
  }

  get(reference: string): RecordedPayment | undefined {
    const [row] = this.exec(READ, reference)
    return row && parseStored(row.payment)
  }

  add(reference: string, payment: RecordedPayment): void {
    this.exec(ADD, reference, JSON.stringify(payment))
  }
}
