import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { findVault } from './binaries.ts'
import { onFreePort, ServerProcess, temporaryFolder } from './server-process.ts'

/** A login that an Agent or a Proxy makes by itself. */
export interface AgentLogin {
  readonly roleId: string
  readonly secretId: string
  readonly mount: string
}

/** What an Agent writes whenever the secret in it changes. */
export interface AgentTemplate {
  readonly destination: string
  /** In the language of consul-template. */
  readonly contents: string
}

/** How a Proxy, or an Agent, is started. */
export interface AgentOptions {
  /** The address of Vault. */
  readonly vault: string
  readonly login: AgentLogin
  /** Files to render: this makes it an Agent. */
  readonly templates?: readonly AgentTemplate[]
  /** Where to put its token. */
  readonly sink?: { readonly path: string; readonly wrapTtl?: string }
  /** Answers a read again out of a cache, for whoever sends the same request. Default: false. */
  readonly cache?: boolean
  /** Listen on a socket of Unix in place of a port. Default: false. */
  readonly unix?: boolean
}

/** A `bao agent` or `bao proxy` (or `vault agent`, `vault proxy`) with a listener that adds its own token. */
export interface VaultAgent extends AsyncDisposable {
  /** Begins with `http://`, or with `unix://`. */
  readonly address: string
  stop(): Promise<void>
}

/**
 * Starts an Agent when there are templates, else a Proxy, on an ephemeral port of 127.0.0.1 or a socket of Unix. It logs in
 * by AppRole.
 *
 * @throws ServerUnavailableError when neither OpenBao nor Vault is to be had.
 */
export async function startVaultAgent(options: AgentOptions): Promise<VaultAgent> {
  const command = await findVault()
  const { path: folder, remove } = temporaryFolder()
  const { process, address } = await onFreePort(async (port) => {
    const socket = join(folder, 'listener.sock')
    const config = join(folder, 'agent.hcl')
    writeFileSync(join(folder, 'role_id'), options.login.roleId)
    writeFileSync(join(folder, 'secret_id'), options.login.secretId)
    writeFileSync(config, configOf(options, folder, options.unix ? `unix:${socket}` : `127.0.0.1:${port}`))
    const started = await ServerProcess.start({
      name: 'agent',
      command,
      args: [options.templates ? 'agent' : 'proxy', `-config=${config}`],
      folder,
      ready: () => answers(options.unix ? { socketPath: socket } : { host: '127.0.0.1', port }),
    })
    return { process: started, address: options.unix ? `unix://${socket}` : `http://127.0.0.1:${port}` }
  })
  const stop = async (): Promise<void> => {
    await process.stop('SIGTERM')
    remove()
  }
  return { address, stop, [Symbol.asyncDispose]: stop }
}

function configOf(options: AgentOptions, folder: string, listener: string): string {
  const { vault, login, templates = [], sink, cache } = options
  const [type, address] = listener.startsWith('unix:') ? ['unix', listener.slice(5)] : ['tcp', listener]
  const wrap = sink?.wrapTtl ? `wrap_ttl = "${sink.wrapTtl}"` : ''
  return `vault { address = "${vault}" }
auto_auth {
  method "approle" {
    mount_path = "auth/${login.mount}"
    config = { role_id_file_path = "${folder}/role_id"  secret_id_file_path = "${folder}/secret_id"  remove_secret_id_file_after_reading = false }
  }
  ${sink ? `sink "file" { ${wrap} config = { path = "${sink.path}" } }` : ''}
}
api_proxy { use_auto_auth_token = true }
${cache ? 'cache { }' : ''}
listener "${type}" { address = "${address}"  tls_disable = true }
${templates.map(templateOf).join('\n')}
`
}

function templateOf({ destination, contents }: AgentTemplate): string {
  return `template {
  destination = "${destination}"
  contents = <<EOT
${contents}
EOT
}`
}

/** Resolves once it has a token to add. */
function answers(where: { socketPath: string } | { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...where, path: '/v1/auth/token/lookup-self', timeout: 2_000 }, (response) => {
      response.resume()
      if (response.statusCode === 200) resolve()
      else reject(new Error(`it answers ${response.statusCode}`))
    })
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('it does not answer')))
    asked.end()
  })
}
