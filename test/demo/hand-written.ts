import type { HammerTarget, VaultServer } from '@vault-lease/testing'
import type { Subject } from '../subjects/subject.ts'

/** A client of the usual kind: it reads credentials, and near their expiry it ends its pool and makes another. */
export interface HandWrittenClient extends HammerTarget {
  /** How often it replaced its pool. */
  rotations(): number
  close(): Promise<void>
}

/** A fifth of the TTL before the end, as one would who allows a minute of five. */
const bufferFraction = 0.2

/** @param openPool a pool of the plain driver. */
export async function handWrittenClient(
  server: VaultServer,
  credentialsPath: string,
  token: string,
  openPool: (login: { readonly user: string; readonly password: string }) => Promise<Subject>,
): Promise<HandWrittenClient> {
  let rotations = 0
  let timer: NodeJS.Timeout | undefined
  const nextPool = async (endOld: () => Promise<void>): Promise<Subject> => {
    const { body } = await server.call('GET', credentialsPath, undefined, { token })
    const { username: user, password } = body.data
    await endOld()
    timer = setTimeout(
      () => replacePool().catch(console.error),
      body.lease_duration * 1_000 * (1 - bufferFraction),
    )
    return await openPool({ user, password })
  }
  let current = await nextPool(async () => {})
  const replacePool = async (): Promise<void> => {
    current = await nextPool(() => current.close())
    rotations++
  }
  return {
    query: () => current.query(),
    transaction: (holdMs) => current.transaction(holdMs),
    stream: () => current.stream(),
    rotations: () => rotations,
    async close() {
      clearTimeout(timer)
      await current.close()
    },
  }
}
