import type { Client } from 'pg'

/** Does not keep the process alive, however long a query takes. The types do not know that a client can be so. */
export function detach(client: Client): void {
  if ('unref' in client && typeof client.unref === 'function') client.unref()
}
