import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { findVault } from '../../../packages/testing/src/binaries.ts'
import { freePort, ServerProcess, temporaryFolder } from '../../../packages/testing/src/server-process.ts'
import { example, filledIn, read, variablesIn } from './files.ts'

const readme = read('README.md')
const nodeNames = ['vault-1', 'vault-2', 'vault-3'] as const
const electsWithinMs = 60_000

/** Three servers with the files of this example, on ports of this machine. */
export interface ProductionCluster extends AsyncDisposable {
  readonly addresses: readonly string[]
  readonly caCertFile: string
  /** All nodes write into one. */
  readonly auditFile: string
  readonly rootToken: string
  /** Runs a command of the README, without its first word, at the active node; gives its standard output. */
  command(command: string, how?: CommandOptions): Promise<string>
  /** The number of the active node. Waits for one. */
  leader(): Promise<number>
  /** Ends a node at once. */
  kill(node: number): Promise<void>
}

interface CommandOptions {
  /** What stands there in place of what the README has. */
  readonly instead?: Readonly<Record<string, string>>
  readonly node?: number
  readonly env?: Readonly<Record<string, string>>
}

interface Node {
  readonly name: string
  readonly address: string
  readonly env: Readonly<Record<string, string>>
}

/** Does what the README says, up to a cluster whose nodes all have a vote. */
export async function startProductionCluster(): Promise<ProductionCluster> {
  const binary = await findVault()
  const isOpenBao = basename(binary) === 'bao'
  const folder = temporaryFolder()
  const tls = join(folder.path, 'tls')
  await run('sh', [join(example, 'tls.sh'), tls, ...nodeNames], {})
  const nodes = await prepare(folder.path, tls)
  const running = new Map<Node, ServerProcess>()
  const nodeAt = (index: number): Node => {
    const node = nodes[index]
    if (!node) throw new Error(`There is no node ${index}.`)
    return node
  }
  let rootToken = ''
  const caCertFile = join(tls, 'ca.crt')
  const at = ({ address }: Node): Record<string, string> => ({
    ...Object.fromEntries(['VAULT', 'BAO'].map((name) => [`${name}_ADDR`, address])),
    ...Object.fromEntries(['VAULT', 'BAO'].map((name) => [`${name}_CACERT`, caCertFile])),
    ...(rootToken !== '' && { VAULT_TOKEN: rootToken, BAO_TOKEN: rootToken }),
    HOME: folder.path,
  })
  const cli = (args: readonly string[], node: Node, env = {}): Promise<string> =>
    run(binary, args, { ...at(node), ...env })

  const configure = (node: Node): string[] => {
    const files = isOpenBao ? ['production.hcl', 'audit.hcl'] : ['production.hcl']
    const config = join(folder.path, `${node.name}.hcl`)
    writeFileSync(config, filledIn(files.map((file) => read(file)).join('\n'), node.env))
    return ['server', `-config=${config}`]
  }
  for (const node of nodes)
    running.set(
      node,
      await ServerProcess.start({
        name: node.name,
        command: binary,
        args: configure(node),
        folder: folder.path,
        // Sealed: exit code 2.
        ready: () =>
          cli(['status', '-format=json'], node).catch((error: { code?: unknown }) => {
            if (error.code !== 2) throw error
          }),
      }),
    )

  const leader = async (): Promise<number> => {
    for (const end = Date.now() + electsWithinMs; Date.now() < end; await sleep(100)) {
      for (const [index, node] of nodes.entries()) {
        if (!running.get(node)?.running) continue
        const status = await cli(['status', '-format=json'], node).catch(() => '{}')
        if (JSON.parse(status).is_self === true || JSON.parse(status).ha_mode === 'active') return index
      }
    }
    throw new Error(`No leader within ${electsWithinMs} ms.`)
  }
  const command: ProductionCluster['command'] = async (text, { instead = {}, node, env } = {}) => {
    if (!readme.includes(`bao ${text}`)) throw new Error(`The README does not have it: bao ${text}`)
    return await cli(wordsOf(text, instead), nodeAt(node ?? (await leader())), env)
  }

  const keys = JSON.parse(
    await command('operator init -key-shares=5 -key-threshold=3 -format=json', { node: 0 }),
  )
  for (const index of nodes.keys()) {
    for (const key of keys.unseal_keys_b64.slice(0, 3))
      await unseal(() => cli(['operator', 'unseal', key], nodeAt(index)))
  }
  rootToken = keys.root_token
  const auditFile = join(auditFolder(folder.path), 'audit.log')
  if (!isOpenBao) await cli(['audit', 'enable', 'file', `file_path=${auditFile}`], nodeAt(await leader()))
  const voters = async (): Promise<number> => {
    const { data } = JSON.parse(await command('operator raft list-peers -format=json'))
    return data.config.servers.filter(({ voter }: { voter: boolean }) => voter).length
  }
  for (
    const end = Date.now() + electsWithinMs;
    (await voters().catch(() => 0)) < nodes.length;
    await sleep(500)
  ) {
    if (Date.now() > end) throw new Error('Not all nodes got a vote.')
  }
  return {
    addresses: nodes.map(({ address }) => address),
    caCertFile,
    auditFile,
    rootToken,
    command,
    leader,
    kill: async (index) => await running.get(nodeAt(index))?.stop('SIGKILL'),
    async [Symbol.asyncDispose]() {
      await Promise.all(Array.from(running.values(), (server) => server.stop('SIGKILL')))
      folder.remove()
    },
  }
}

/** What node.env has for each node, with the ports and folders of this machine. */
async function prepare(folder: string, tls: string): Promise<readonly Node[]> {
  const ports = await Promise.all(nodeNames.map(async () => [await freePort(), await freePort()] as const))
  const addresses = ports.map(([port]) => `https://127.0.0.1:${port}`)
  return nodeNames.map((name, index) => {
    const [port, clusterPort] = ports[index] ?? [0, 0]
    const data = join(folder, name, 'data')
    for (const path of [data, auditFolder(folder)]) mkdirSync(path, { recursive: true })
    const env = {
      ...variablesIn(read('node.env')),
      NODE_ID: name,
      API_ADDR: addresses[index] ?? '',
      CLUSTER_ADDR: `https://127.0.0.1:${clusterPort}`,
      LISTEN: `127.0.0.1:${port}`,
      CLUSTER_LISTEN: `127.0.0.1:${clusterPort}`,
      ...Object.fromEntries(addresses.map((address, other) => [`NODE_${other + 1}_ADDR`, address])),
      DATA_DIR: data,
      TLS_DIR: join(tls, name),
      // The same on all nodes: who becomes the leader compares its audit devices with those that the cluster has.
      AUDIT_DIR: auditFolder(folder),
    }
    return { name, address: addresses[index] ?? '', env }
  })
}

function auditFolder(folder: string): string {
  return join(folder, 'audit')
}

function wordsOf(command: string, instead: Readonly<Record<string, string>>): readonly string[] {
  const here = Object.entries(instead).reduce((text, [there, here]) => text.replaceAll(there, here), command)
  return here.split(' ')
}

async function run(program: string, args: readonly string[], env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env: { PATH: process.env['PATH'], ...env } })
  return stdout
}

/** Who joins has to hear of the cluster before. */
async function unseal(attempt: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + electsWithinMs; ; await sleep(200)) {
    try {
      await attempt()
      return
    } catch (error) {
      if (Date.now() > end) throw error
    }
  }
}
