import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { findVault } from './binaries.ts'
import { pluginFolder } from './mongo/plugin.ts'
import { freePort, ServerProcess, temporaryFolder } from './server-process.ts'
import { callAt, type VaultApi, type VaultReply } from './vault-api.ts'

/** How a cluster is started. */
export interface VaultClusterOptions {
  /** Default: 3. */
  readonly nodes?: number
  /** PEM texts of a certificate for 127.0.0.1 and its key. */
  readonly tls: { readonly cert: string; readonly key: string }
}

/** Servers of Vault or OpenBao with integrated storage (raft), of which one is active. */
export interface VaultCluster extends VaultApi, AsyncDisposable {
  /** The https addresses of the nodes, in the order of their numbers. */
  readonly addresses: readonly string[]
  /** The root token. */
  readonly token: string
  /** The number of the active node. Waits for one. */
  leader(): Promise<number>
  /** Ends a node at once. */
  kill(node: number): Promise<void>
  /** Brings a killed node back, unsealed. */
  restart(node: number): Promise<void>
  /** Ends all and removes their data. */
  stop(): Promise<void>
}

interface Node {
  readonly name: string
  readonly data: string
  readonly config: string
  /** Of the listener without TLS, for those who set up the cluster. */
  readonly admin: string
  readonly address: string
  running: ServerProcess | undefined
}

const electsWithinMs = 60_000

/**
 * Starts a cluster on ephemeral ports of 127.0.0.1, and waits until every node has a vote, so that any of them can be lost.
 *
 * @throws ServerUnavailableError when neither OpenBao nor Vault is to be had.
 */
export async function startVaultCluster({
  nodes: count = 3,
  tls,
}: VaultClusterOptions): Promise<VaultCluster> {
  const command = await findVault()
  const folder = temporaryFolder()
  for (const [name, text] of Object.entries(tls)) writeFileSync(join(folder.path, `${name}.pem`), text)
  const nodes = await Promise.all(Array.from({ length: count }, (_, index) => prepare(folder.path, index)))
  const start = async (node: Node): Promise<void> => {
    node.running = await ServerProcess.start({
      name: node.name,
      command,
      args: ['server', `-config=${node.config}`],
      folder: folder.path,
      ready: () => callAt(node.admin, 'GET', 'sys/seal-status'),
    })
  }
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.running?.stop('SIGKILL')))
    folder.remove()
  }
  for (const node of nodes) await writeConfig(folder.path, node, nodes)
  await Promise.all(nodes.map(start))
  const [first, ...others] = nodes as [Node, ...Node[]]
  const { body: keys } = await callAt(first.admin, 'PUT', 'sys/init', {
    secret_shares: 1,
    secret_threshold: 1,
  })
  const unseal = async ({ admin }: Node): Promise<void> => {
    // Who joins has to hear of the cluster before.
    await until(async () => (await callAt(admin, 'GET', 'sys/seal-status')).body.initialized === true)
    await callAt(admin, 'PUT', 'sys/unseal', { key: keys.keys[0] })
    await until(async () => [200, 429].includes((await callAt(admin, 'GET', 'sys/health')).status))
  }
  await unseal(first)
  for (const node of others) await unseal(node)
  const leader = async (): Promise<number> => {
    for (const end = Date.now() + electsWithinMs; Date.now() < end; await sleep(50)) {
      const healths = await Promise.all(nodes.map((node) => healthOf(node)))
      const index = healths.indexOf(200)
      if (index >= 0) return index
    }
    throw new Error(`the cluster elected no leader within ${electsWithinMs} ms`)
  }
  const call: VaultApi['call'] = async (method, path, body, options) => {
    const { admin } = nodes[await leader()] as Node
    return await callAt(admin, method, path, body, options?.token ?? keys.root_token)
  }
  const must: VaultApi['must'] = async (method, path, body) => {
    const reply = await call(method, path, body)
    if (reply.status >= 300)
      throw new Error(`${method} ${path}: ${reply.status} ${JSON.stringify(reply.body)}`)
    return reply
  }
  await until(async () => votersIn(await must('GET', 'sys/storage/raft/configuration')) === count)
  return {
    addresses: nodes.map(({ address }) => address),
    token: keys.root_token,
    call,
    must,
    leader,
    kill: async (node) => await nodes[node]?.running?.stop('SIGKILL'),
    async restart(index) {
      const node = nodes[index] as Node
      await start(node)
      await unseal(node)
    },
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

async function prepare(folder: string, index: number): Promise<Node> {
  const name = `node-${index}`
  const data = join(folder, name)
  mkdirSync(data)
  const [adminPort, port] = [await freePort(), await freePort()]
  return {
    name,
    data,
    config: join(folder, `${name}.hcl`),
    admin: `http://127.0.0.1:${adminPort}`,
    address: `https://127.0.0.1:${port}`,
    running: undefined,
  }
}

async function writeConfig(folder: string, node: Node, nodes: readonly Node[]): Promise<void> {
  const port = (url: string): string => new URL(url).port
  const joins = nodes
    .filter((other) => other !== node)
    .map(({ admin }) => `retry_join { leader_api_addr = "${admin}" }`)
  writeFileSync(
    node.config,
    `storage "raft" {
  path = "${node.data}"
  node_id = "${node.name}"
  performance_multiplier = 1
  ${joins.join('\n  ')}
}
listener "tcp" { address = "127.0.0.1:${port(node.admin)}" cluster_address = "127.0.0.1:CLUSTER_PORT" tls_disable = true }
listener "tcp" {
  address = "127.0.0.1:${port(node.address)}"
  tls_cert_file = "${folder}/cert.pem"
  tls_key_file = "${folder}/key.pem"
}
api_addr = "${node.address}"
cluster_addr = "https://127.0.0.1:CLUSTER_PORT"
plugin_directory = "${pluginFolder()}"
disable_mlock = true
`.replaceAll('CLUSTER_PORT', String(await freePort())),
  )
}

/** Undefined when it does not answer. */
async function healthOf({ admin, running }: Node): Promise<number | undefined> {
  if (!running?.running) return undefined
  return await callAt(admin, 'GET', 'sys/health').then(
    ({ status }) => status,
    () => undefined,
  )
}

function votersIn({ body }: VaultReply): number {
  return body.data.config.servers.filter(({ voter }: { voter: boolean }) => voter).length
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + electsWithinMs; ; await sleep(100)) {
    if (await condition().catch(() => false)) return
    if (Date.now() > end) throw new Error(`the cluster was not ready within ${electsWithinMs} ms`)
  }
}
