import { randomUUID } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'

/** A file that always holds one whole credential, and that only its owner can read. */
export class CredentialFile {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  /** Whoever reads it meanwhile reads the one before. */
  write(text: string): void {
    const next = `${this.#path}.${randomUUID()}`
    try {
      writeFileSync(next, `${text}\n`, { mode: 0o600, flag: 'wx' })
      renameSync(next, this.#path)
    } catch (error) {
      rmSync(next, { force: true })
      throw error
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}
