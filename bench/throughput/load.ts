import { type ChildProcess, fork } from 'node:child_process'
import path from 'node:path'
import type { LoadOrder, Measured } from './load-process.ts'

/** A handle of the separate process that generates the load. */
export class Load {
  private readonly child: ChildProcess

  constructor() {
    this.child = fork(path.join(import.meta.dirname, 'load-process.ts'))
  }

  /** Runs one order and resolves with its result. Callers must wait for the result before they run the next order. */
  run(order: LoadOrder): Promise<Measured> {
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null) => reject(new Error(`the load process ended with ${code}`))
      this.child.once('exit', onExit)
      this.child.once('message', (measured: Measured) => {
        this.child.off('exit', onExit)
        resolve(measured)
      })
      this.child.send(order)
    })
  }

  stop(): void {
    this.child.kill()
  }
}
