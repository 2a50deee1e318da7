/** Lines as HashiCorp Vault documents them, of a version that does not write the type of a mount yet. */

const hash = (text: string): string =>
  `hmac-sha256:${Buffer.from(text).toString('hex').padEnd(64, '0').slice(0, 64)}`

interface Line {
  readonly time: string
  readonly path: string
  readonly operation?: string
  readonly request?: object
  readonly response?: object
  readonly auth?: object
  readonly error?: string
}

/** Who asks, unless a line says otherwise. */
const auth = {
  client_token: hash('token'),
  accessor: hash('accessor'),
  display_name: 'kubernetes-prod-shop',
  policies: ['default', 'shop'],
  token_policies: ['default', 'shop'],
  metadata: {
    role: 'shop',
    service_account_name: 'shop',
    service_account_namespace: 'prod',
    service_account_secret_name: '',
    service_account_uid: '3b1c9a54-22f5-4d6b-9a0e-0d6c5d0a7a11',
    pod: 'shop-7c9d5b5f8-x2x7k',
  },
  entity_id: '5ee0a3b5-3a5c-4a07-a8d9-4c6a6f0d6d35',
  token_type: 'service',
  token_ttl: 86_400,
  token_issue_time: '2026-03-01T09:00:00Z',
}

/** A request with its response, each on its line. */
export function linesFor({ time, path, operation = 'update', request, response, ...line }: Line): string {
  const entry = {
    time,
    auth: { ...auth, ...line.auth },
    request: {
      id: 'b1d1c5c4-0ff2-7f0c-2a1d-e7b6c3b7b4a1',
      operation,
      client_token: auth.client_token,
      client_token_accessor: auth.accessor,
      namespace: { id: 'root' },
      path,
      data: request ?? null,
      remote_address: '10.42.0.17',
    },
    ...(line.error !== undefined && { error: line.error }),
  }
  const lines = [
    { ...entry, type: 'request' },
    { ...entry, type: 'response', response: response ?? {} },
  ]
  return lines.map((one) => `${JSON.stringify(one)}\n`).join('')
}

/** That a user was given out. */
export function issued(time: string, lease: string, username: string, more: Partial<Line> = {}): string {
  return linesFor({
    time,
    path: lease.slice(0, lease.lastIndexOf('/')),
    operation: 'read',
    response: {
      secret: { lease_id: lease },
      data: { username: hash(username), password: hash('a-secret') },
    },
    ...more,
  })
}

export { hash as hashOf }
