import type { Duplex } from 'node:stream'
import { VaultPool, type VaultPoolOptions } from '@vault-lease/pg'
import type { Items } from './items.ts'

/** What the Connector of @google-cloud/cloud-sql-connector gives for an instance: TLS sockets to it. */
interface Connector {
  getOptions(instance: { instanceConnectionName: string }): Promise<{ stream(): Duplex }>
}

export async function openOverConnector(options: VaultPoolOptions, connector: Connector): Promise<Items> {
  const { stream } = await connector.getOptions({ instanceConnectionName: 'project:region:instance' })
  const pool = new VaultPool({ ...options, stream })
  return {
    nameOf: async (id) => (await pool.query('select name from items where id = $1', [id])).rows[0]?.name,
    async hit(id) {
      const client = await pool.connect()
      try {
        await client.query('begin')
        await client.query('update items set hits = hits + 1 where id = $1', [id])
        await client.query('commit')
      } finally {
        client.release()
      }
    },
    close: () => pool.end(),
  }
}
