import { isMySqlRefusal } from '@vault-lease/core/adapter'
import type { DatabaseKind } from './kind.ts'

export const mysql: DatabaseKind = {
  protocols: ['mysql', 'mariadb'],
  port: '3306',
  variables: ({ host, port, database }, { username, password }) => ({
    MYSQL_HOST: host,
    MYSQL_TCP_PORT: port,
    ...(database !== '' && { MYSQL_DATABASE: database }),
    MYSQL_USER: username,
    MYSQL_PWD: password,
  }),
  async logIn(uri, signal) {
    const { createConnection } = await import('mysql2/promise')
    const connection = await createConnection({ uri: uri.replace(/^mariadb:/, 'mysql:') })
    const stop = (): void => connection.destroy()
    signal.addEventListener('abort', stop, { once: true })
    try {
      await connection.query('select 1')
    } finally {
      signal.removeEventListener('abort', stop)
      stop()
    }
  },
  isRefusal: isMySqlRefusal,
}
