import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { randomPassword } from './random-password.ts'

/** What a server of ours has to know of data that outlive it. */
interface State {
  readonly password: string
  /** Once the data are complete. */
  readonly port?: number
}

/** Data of a server that stay where they are when it ends, with the port and the superuser's password that they were made with. */
export class KeptData {
  /** Where the server has its data. */
  readonly data: string
  readonly password: string
  /** Where the server was; `undefined` when there are no data yet. */
  readonly port: number | undefined
  readonly #stateFile: string

  /** @throws Error when there are data that are not of ours. */
  constructor(folder: string) {
    mkdirSync(folder, { recursive: true })
    this.data = resolve(folder, 'data')
    this.#stateFile = join(folder, 'server.json')
    const state = this.#read()
    if (!state && existsSync(this.data))
      throw new Error(`${this.data} is there already, and not of a server of ours: name another folder.`)
    this.password = state?.password ?? randomPassword()
    this.port = state?.port
    if (this.port === undefined) {
      this.#write({ password: this.password })
      // Of a start that did not come to its end.
      rmSync(this.data, { recursive: true, force: true })
    }
  }

  /** They are complete. */
  complete(port: number): void {
    this.#write({ password: this.password, port })
  }

  #read(): State | undefined {
    return existsSync(this.#stateFile) ? JSON.parse(readFileSync(this.#stateFile, 'utf8')) : undefined
  }

  #write(state: State): void {
    writeFileSync(this.#stateFile, JSON.stringify(state), { mode: 0o600 })
  }
}
