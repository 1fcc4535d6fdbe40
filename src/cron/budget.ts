import type { Bindings } from '../bindings.ts'

/**
 * The error of a scheduled job that has used up its calls or its time. Completed work is kept, and the next run
 * continues.
 */
export class BudgetSpent extends Error {}

/** The limits of a job: its calls of D1, ledger objects, queues and KV, and its time. */
export class Budget {
  private left: number
  private readonly until_ms: number

  constructor(calls: number, time_ms: number) {
    this.left = calls
    this.until_ms = Date.now() + time_ms
  }

  /** Counts a number of calls. Throws `BudgetSpent` if fewer calls are left or the time has ended. */
  take(calls: number): void {
    if (this.left < calls) throw new BudgetSpent('The calls of this run are used up.')
    if (Date.now() >= this.until_ms) throw new BudgetSpent('The time of this run is used up.')
    this.left -= calls
  }

  /** Ends the budget, so that a job that runs longer than its time can make no more calls. */
  end(): void {
    this.left = 0
  }
}

/** Returns bindings that count every call against a budget. */
export function budgeted(env: Bindings, budget: Budget): Bindings {
  const ledgers = env.LEDGER
  // The platform's methods must be called on the platform's object.
  const LEDGER: typeof ledgers = Object.create(ledgers, {
    idFromName: { value: (name: string) => ledgers.idFromName(name) },
    get: {
      value: (id: DurableObjectId, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
        budget.take(1)
        return ledgers.get(id, options)
      },
    },
    getByName: {
      value: (name: string, options?: DurableObjectNamespaceGetDurableObjectOptions) => {
        budget.take(1)
        return ledgers.getByName(name, options)
      },
    },
  })
  const QUEUE = ['send', 'sendBatch']
  return {
    ...env,
    DB: new BudgetedD1(env.DB, budget),
    LEDGER,
    API_KEYS: counted(env.API_KEYS, ['get', 'getWithMetadata', 'list', 'put', 'delete'], budget),
    USAGE: counted(env.USAGE, QUEUE, budget),
    NOTIFICATIONS: counted(env.NOTIFICATIONS, QUEUE, budget),
    WEBHOOKS: counted(env.WEBHOOKS, QUEUE, budget),
  }
}

/** Returns a binding that counts the calls of the given methods. */
function counted<Binding extends object>(
  binding: Binding,
  methods: readonly string[],
  budget: Budget,
): Binding {
  const properties = methods.map((method) => {
    const value = (...args: unknown[]): unknown => {
      const call: unknown = Reflect.get(binding, method)
      if (typeof call !== 'function') throw new Error(`the binding has no method ${method}`)
      budget.take(1)
      return Reflect.apply(call, binding, args)
    }
    return [method, { value }] as const
  })
  return Object.create(binding, Object.fromEntries(properties))
}

class BudgetedD1 implements D1Database {
  private readonly db: D1Database
  private readonly budget: Budget

  constructor(db: D1Database, budget: Budget) {
    this.db = db
    this.budget = budget
  }

  prepare(query: string): D1PreparedStatement {
    return new BudgetedStatement(this.db.prepare(query), this.budget)
  }

  /** Counts each statement of a batch, because the platform also counts each statement. */
  async batch<T>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]> {
    this.budget.take(statements.length)
    return this.db.batch<T>(
      statements.map((statement) =>
        statement instanceof BudgetedStatement ? statement.statement : statement,
      ),
    )
  }

  async exec(query: string): Promise<D1ExecResult> {
    this.budget.take(1)
    return this.db.exec(query)
  }

  withSession(constraintOrBookmark?: D1SessionBookmark | D1SessionConstraint): D1DatabaseSession {
    this.budget.take(1)
    return this.db.withSession(constraintOrBookmark)
  }

  async dump(): Promise<ArrayBuffer> {
    this.budget.take(1)
    return this.db.dump()
  }
}

class BudgetedStatement implements D1PreparedStatement {
  readonly statement: D1PreparedStatement
  private readonly budget: Budget

  constructor(statement: D1PreparedStatement, budget: Budget) {
    this.statement = statement
    this.budget = budget
  }

  bind(...values: unknown[]): D1PreparedStatement {
    return new BudgetedStatement(this.statement.bind(...values), this.budget)
  }

  first<T = unknown>(colName: string): Promise<T | null>
  first<T = Record<string, unknown>>(): Promise<T | null>
  async first<T>(colName?: string): Promise<T | null> {
    this.budget.take(1)
    return colName === undefined ? this.statement.first<T>() : this.statement.first<T>(colName)
  }

  async run<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    this.budget.take(1)
    return this.statement.run<T>()
  }

  async all<T = Record<string, unknown>>(): Promise<D1Result<T>> {
    this.budget.take(1)
    return this.statement.all<T>()
  }

  raw<T = unknown[]>(options: { columnNames: true }): Promise<[string[], ...T[]]>
  raw<T = unknown[]>(options?: { columnNames?: false }): Promise<T[]>
  async raw<T>(options?: { columnNames?: boolean }): Promise<T[] | [string[], ...T[]]> {
    this.budget.take(1)
    return options?.columnNames
      ? this.statement.raw<T>({ columnNames: true })
      : this.statement.raw<T>({ columnNames: false })
  }
}
