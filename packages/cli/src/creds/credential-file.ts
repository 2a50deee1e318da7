import { randomUUID } from 'node:crypto'
import { accessSync, chownSync, constants, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { InvalidOptionError } from '@vault-lease/core'

/**
 * A file that always holds one whole credential, and that only its owner can read. What root writes belongs to the owner of the
 * folder: who reads it seldom is root.
 */
export class CredentialFile {
  readonly #path: string
  readonly #option: string

  /** @throws InvalidOptionError when nothing can be written in its folder, or it is a folder itself. */
  constructor(path: string, option = '--out') {
    this.#path = path
    this.#option = option
    try {
      accessSync(dirname(path), constants.W_OK)
    } catch (cause) {
      throw new InvalidOptionError(
        `Nothing can be written in the folder of ${option} ${path}: it has to be there, and yours.`,
        {
          cause,
        },
      )
    }
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory())
      throw new InvalidOptionError(`${option} ${path} is a folder: name a file in it.`)
  }

  /**
   * Whoever reads it meanwhile reads the one before.
   *
   * @throws InvalidOptionError when it cannot be written.
   */
  write(text: string): void {
    const next = `${this.#path}.${randomUUID()}`
    try {
      writeFileSync(next, `${text}\n`, { mode: 0o600, flag: 'wx' })
      if (process.getuid?.() === 0) {
        const { uid, gid } = statSync(dirname(this.#path))
        chownSync(next, uid, gid)
      }
      renameSync(next, this.#path)
    } catch (error) {
      rmSync(next, { force: true })
      const why = error instanceof Error ? error.message : String(error)
      throw new InvalidOptionError(`${this.#option} could not be written, and still has what it had: ${why}`)
    }
  }

  remove(): void {
    rmSync(this.#path, { force: true })
  }
}
