import type { VaultPoolClass } from '@vault-lease/pg/adapter'
import type { PoolClient } from 'pg'

type Connect = InstanceType<VaultPoolClass>['connect']
type Connected = Parameters<Connect>[0]

/** A pool into which the connections of transactions come back also when they are lost: Prisma 6 forgets those. */
export function poolForTransactions(VaultPool: VaultPoolClass): VaultPoolClass {
  return class extends VaultPool {
    override connect(): Promise<PoolClient>
    override connect(callback: Connected): void
    override connect(callback?: Connected): Promise<PoolClient> | undefined {
      if (!callback) return super.connect().then(releasedOnceLost)
      super.connect(callback)
      return undefined
    }
  }
}

function releasedOnceLost(client: PoolClient): PoolClient {
  const release = client.release.bind(client)
  const onEnd = (): void => client.release(true)
  let released = false
  client.once('end', onEnd)
  client.release = (error) => {
    if (released) return
    released = true
    client.off('end', onEnd)
    release(error)
  }
  return client
}
