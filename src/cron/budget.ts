import type { Bindings } from '../bindings.ts'

/**
 * The error that ends a scheduled job when its calls or its time are used up. Completed work is kept. The next run of
 * the job continues the work.
 */
export class BudgetSpent extends Error {}

/** The budget of one run of a job: its time, and the number of its calls to D1, ledger objects, queues and KV. */
export class Budget {
  private left: number
  private readonly until_ms: number

  constructor(calls: number, time_ms: number) {
    this.left = calls
    this.until_ms = Date.now() + time_ms
  }

  /**
   * Subtracts a number of calls from the budget. Throws `BudgetSpent` if fewer calls are left, or if the time is used
   * up.
   */
  take(calls: number): void {
    if (this.left < calls) throw new BudgetSpent('The calls of this run are used up.')
    if (Date.now() >= this.until_ms) throw new BudgetSpent('The time of this run is used up.')
    this.left -= calls
  }

  /** Sets the remaining calls to 0. A job that still runs after its time limit can then make no more calls. */
  end(): void {
    this.left = 0
  }
}

/**
 * Returns bindings that subtract their calls to D1, ledger objects, queues and KV from a budget. For ledger objects,
 * each creation of a stub is subtracted, and not the calls of the stub.
 */
export function budgeted(env: Bindings, budget: Budget): Bindings {
  const ledgers = env.LEDGER
  // Calls the methods on the platform's object, because they do not work on an object that inherits from it.
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

/**
 * Returns a binding that subtracts each call of the given methods from the budget. A call throws `BudgetSpent` if the
 * budget does not suffice.
 */
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

  /** Subtracts one call for each statement of the batch, because the platform also counts each statement. */
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
