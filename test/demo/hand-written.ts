import type { VaultServer } from '@vault-lease/testing'
import pg from 'pg'
import { poolOptions, poolWorkload } from '../subjects/pg.ts'
import type { Place, Workload } from '../subjects/subject.ts'

/** A client of the usual kind: it reads credentials, and near their expiry it ends its pool and makes another. */
export interface HandWrittenClient extends Workload {
  /** How often it replaced its pool. */
  rotations(): number
  close(): Promise<void>
}

/** A fifth of the TTL before the end, as one would who allows a minute of five. */
const bufferFraction = 0.2

export async function handWrittenClient(
  server: VaultServer,
  credentialsPath: string,
  token: string,
  place: Place,
): Promise<HandWrittenClient> {
  let pool = new pg.Pool()
  let timer: NodeJS.Timeout | undefined
  let rotations = -1
  const replacePool = async (): Promise<void> => {
    const { body } = await server.call('GET', credentialsPath, undefined, { token })
    const { username, password } = body.data
    const old = pool
    if (rotations >= 0) await old.end()
    pool = new pg.Pool({ ...poolOptions(place), user: username, password })
    pool.on('error', () => {})
    rotations++
    timer = setTimeout(
      () => replacePool().catch(console.error),
      body.lease_duration * 1_000 * (1 - bufferFraction),
    )
  }
  await replacePool()
  return {
    ...poolWorkload(() => pool),
    rotations: () => rotations,
    async close() {
      clearTimeout(timer)
      await pool.end()
    },
  }
}
