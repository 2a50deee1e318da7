import { watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { CredentialSourceError } from '../errors.ts'
import { type Clock, sleep } from '../resilience/clock.ts'
import { readSmallFile } from '../vault/small-file.ts'
import { loginIn } from './credential-text.ts'
import { endlessLease } from './lease.ts'
import { type CredentialSource, withoutLease } from './source.ts'

/** A network file system, or a mount of Kubernetes, may tell nothing of a change. */
const lookEveryMs = 5_000
const settlesWithinMs = 50

/**
 * The credential in a file that somebody else renders: Vault Agent, the Agent Injector, the CSI provider. When the file is
 * replaced, or written anew in place, its credential is proven and put in force like any other. What is written at this moment
 * is not used before it has come to rest.
 */
export function credentialFile(path: string, clock: Clock): CredentialSource {
  return {
    ...withoutLease,
    description: `the file ${path}`,
    async fetch({ signal }) {
      const text = await settledText(path, clock, signal)
      const login = loginIn(text)
      if ('wrong' in login) throw unusable(path, login.wrong)
      const readAt = clock.now()
      const lease = endlessLease({ readAt, lookAt: readAt + lookEveryMs })
      return { ...login, lease, tokenFacts: () => undefined }
    },
    watch: (onChange) => watchFile(path, onChange),
  }
}

async function settledText(path: string, clock: Clock, signal: AbortSignal): Promise<string> {
  for (let before = await read(path, signal); ; ) {
    await sleep(clock, settlesWithinMs, signal)
    const now = await read(path, signal)
    if (now === before) return now
    before = now
  }
}

async function read(path: string, signal: AbortSignal): Promise<string> {
  try {
    return await readSmallFile(path, signal)
  } catch (cause) {
    signal.throwIfAborted()
    throw unusable(path, 'it cannot be read', cause)
  }
}

function unusable(path: string, why: string, cause?: unknown): CredentialSourceError {
  return new CredentialSourceError(
    `The credential file ${path} cannot be used: ${why}. Does whatever writes it run, and write a user name and a password?`,
    { cause },
  )
}

/** The folder is watched, because a file that is replaced by rename is another file. Where that cannot be, polling has to do. */
function watchFile(path: string, onChange: () => void): () => void {
  try {
    const watcher = watch(dirname(path), { persistent: false }, (_event, name) => {
      // Kubernetes swaps a link beside the file, whose name begins so.
      if (name === null || name === basename(path) || name.startsWith('..')) onChange()
    })
    watcher.on('error', () => watcher.close())
    return () => watcher.close()
  } catch {
    return () => {}
  }
}
