import { spawn } from 'node:child_process'
import type { Credential, LeaseManager } from '@vault-lease/core'
import {
  attach,
  type Consumer,
  type PoolAttachment,
  type Proof,
  type Retired,
  type RetireTerms,
} from '@vault-lease/core/adapter'
import type { Database } from '../database/database.ts'
import { prove } from '../prove.ts'
import type { CredentialFile } from './credential-file.ts'

interface Followed {
  readonly database: Database | undefined
  readonly file: CredentialFile
  text(credential: Credential): string
  /** A command of the shell that is run when the file was written. */
  readonly execAfter: string | undefined
  tell(text: string): void
}

const nothing: Retired = { closed: 0, forced: 0 }

/** A file that holds the credential in force. Who reads it may live on an old one until the time to drain is over. */
export class FollowedFile implements Consumer {
  readonly place: string
  readonly attachment: PoolAttachment
  readonly #what: Followed
  readonly #closing = new AbortController()

  constructor(lease: LeaseManager, what: Followed) {
    this.#what = what
    this.place = what.database?.place ?? 'a file'
    this.attachment = attach(lease, this)
  }

  /** Writes the first one. Rejects when there is none to be had. */
  async begin(): Promise<void> {
    await this.attachment.credential()
  }

  /** Nobody is to live on any of them any more. */
  end(): void {
    this.#closing.abort()
    this.#what.file.remove()
  }

  prove(credential: Credential, signal: AbortSignal): Promise<Proof> {
    return prove(this.#what.database, credential, signal)
  }

  follow(credential: Credential): void {
    const { file, text, execAfter, tell } = this.#what
    // The file is removed by then.
    if (this.#closing.signal.aborted) return
    try {
      file.write(text(credential))
    } catch (error) {
      tell(error instanceof Error ? error.message : String(error))
      return
    }
    tell(`The database user is ${credential.username}.`)
    if (execAfter === undefined) return
    const child = spawn(execAfter, { shell: true, stdio: ['ignore', 2, 2] })
    // What it runs is not waited for at the end.
    child.unref()
    child.once('error', (error) => tell(`--exec-after: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (code !== 0) tell(`--exec-after ended with ${code ?? signal}.`)
    })
  }

  async retire(_generation: number, { signal }: RetireTerms): Promise<Retired> {
    const over = AbortSignal.any([signal, this.#closing.signal])
    if (!over.aborted) await new Promise((resolve) => over.addEventListener('abort', resolve, { once: true }))
    return nothing
  }
}
