import type { DatabaseKind } from './kind.ts'

const authenticationFailed = 18

export const mongodb: DatabaseKind = {
  protocols: ['mongodb', 'mongodb+srv'],
  port: '27017',
  // Vault makes its users in "admin"; the driver would look for them in the database of the URL.
  complete: (url) =>
    /[?&]authSource=/i.test(url) ? url : `${withPath(url)}${url.includes('?') ? '&' : '?'}authSource=admin`,
  variables: (_address, _login, url) => ({ MONGODB_URI: url }),
  async logIn(url, signal) {
    const { MongoClient } = await import('mongodb')
    const client = new MongoClient(url, { serverSelectionTimeoutMS: 2_000, maxPoolSize: 1 })
    const stop = (): void => void client.close().catch(() => {})
    signal.addEventListener('abort', stop, { once: true })
    try {
      await client.connect()
      await client.db().command({ ping: 1 })
    } finally {
      signal.removeEventListener('abort', stop)
      await client.close()
    }
  },
  isRefusal: (error) => error instanceof Error && 'code' in error && error.code === authenticationFailed,
}

/** A query needs a slash before it. */
function withPath(url: string): string {
  return /:\/\/[^/]*$/.test(url) ? `${url}/` : url
}
