import type { DatabaseKind } from './kind.ts'

const refusals: readonly unknown[] = ['28P01', '28000']

export const postgresql: DatabaseKind = {
  protocols: ['postgresql', 'postgres'],
  port: '5432',
  variables: ({ host, port, database }, { username, password }) => ({
    PGHOST: host,
    PGPORT: port,
    ...(database !== '' && { PGDATABASE: database }),
    PGUSER: username,
    PGPASSWORD: password,
  }),
  async logIn(connectionString, signal) {
    const { default: pg } = await import('pg')
    const client = new pg.Client({ connectionString })
    client.on('error', () => {})
    const stop = (): void => void client.end().catch(() => {})
    signal.addEventListener('abort', stop, { once: true })
    try {
      await client.connect()
      await client.query('select current_user')
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  },
  isRefusal: (error) => error instanceof Error && 'code' in error && refusals.includes(error.code),
}
