import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { connect } from 'node:tls'
import { VaultError } from '@vault-lease/core'
import { settlesWithin } from '@vault-lease/core/adapter'
import type { VaultApi } from '../vault/vault-api.ts'
import { clockFinding } from './clock.ts'
import type { Examination } from './examination.ts'
import { type Finding, failed, ok, skipped, warning } from './finding.ts'
import { links } from './links.ts'

const group = 'Vault'
const certificateDays = 14
const dayMs = 86_400_000
const certificateWithinMs = 3_000
const nameWithinMs = 10_000
const socketProtocol = 'unix:'

/** The server that answers for itself also when it is sealed or a standby. */
const health = 'sys/health?standbyok=true&perfstandbyok=true&sealedcode=200&uninitcode=200'

/** Whether Vault is there, and in a state to be asked. Needs no token. */
export async function checkVault(examination: Examination, vault: VaultApi): Promise<boolean> {
  const address = new URL(vault.address)
  const note = (check: string, finding: Finding): boolean => examination.note(group, check, finding)
  if (!note('name', await nameOf(address))) return false
  const asked = await ask(vault)
  if (asked instanceof VaultError) {
    note(isAboutTls(asked) ? 'TLS' : 'connection', unreachable(asked))
    return false
  }
  note('connection', ok(`${vault.address} answers, in ${Math.round(asked.tookMs)} ms`))
  if (!note('TLS', await tlsOf(address))) return false
  const { body } = asked
  if (!note('seal', sealOf(body))) return false
  note('version', ok(`${body['version'] ?? 'unknown'}${body['standby'] === true ? ', a standby' : ''}`))
  note('clock', clockOf(body['server_time_utc'], asked.at))
  return true
}

async function nameOf({ hostname, protocol }: URL): Promise<Finding> {
  if (protocol === socketProtocol) return ok('a socket on this machine')
  if (hasProxy()) return skipped('a proxy looks the name up')
  try {
    const looked = lookup(hostname.replace(/^\[|\]$/g, ''))
    if (!(await settlesWithin(looked, nameWithinMs)))
      return failed(
        `no DNS has answered for ${hostname} within ${nameWithinMs / 1_000} s`,
        'Look whether this machine reaches its name servers.',
        links.address,
      )
    const { address } = await looked
    return ok(address === hostname ? address : `${hostname} is ${address}`)
  } catch (error) {
    return failed(
      `no DNS knows ${hostname} (${codeOf(error)})`,
      'Correct VAULT_ADDR, or the name servers of this machine.',
      links.address,
    )
  }
}

function hasProxy(): boolean {
  return ['VAULT_PROXY_ADDR', 'VAULT_HTTP_PROXY'].some((name) => process.env[name])
}

interface Asked {
  readonly body: Readonly<Record<string, unknown>>
  /** The middle of the exchange, by the clock of this machine. */
  readonly at: number
  readonly tookMs: number
}

async function ask(vault: VaultApi): Promise<Asked | VaultError> {
  const began = Date.now()
  try {
    const body = await vault.about(health)
    const tookMs = Date.now() - began
    return { body, at: began + tookMs / 2, tookMs }
  } catch (error) {
    if (error instanceof VaultError) return error
    throw error
  }
}

function unreachable(error: VaultError): Finding {
  if (isAboutTls(error))
    return failed(
      error.message,
      'Give the authority that has signed its certificate (VAULT_CACERT), and the name that is in it (VAULT_ADDR, VAULT_TLS_SERVER_NAME).',
      links.address,
    )
  return failed(
    error.message,
    'Is it up, does VAULT_ADDR name its address and port, and does the network let this machine through?',
    links.address,
  )
}

function isAboutTls({ cause }: VaultError): boolean {
  const code = codeOf(cause)
  return /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_/.test(`${code}`)
}

async function tlsOf(address: URL): Promise<Finding> {
  const isLocal = ['127.0.0.1', '[::1]', 'localhost'].includes(address.hostname)
  if (address.protocol === socketProtocol) return ok('none, on this machine')
  if (address.protocol === 'http:')
    return isLocal
      ? ok('none, on this machine')
      : warning(
          'none: tokens and passwords go over the network as they are',
          'Have Vault listen with TLS, and set VAULT_ADDR to https://…',
          links.address,
        )
  if (/^(1|t|true)$/i.test(process.env['VAULT_SKIP_VERIFY'] ?? ''))
    return warning(
      'not looked at: VAULT_SKIP_VERIFY is set, and anybody can be Vault',
      'Leave VAULT_SKIP_VERIFY out, and give the authority that has signed its certificate (VAULT_CACERT).',
      links.address,
    )
  const end = hasProxy() ? undefined : await certificateEndOf(address)
  if (end === undefined) return ok('trusted')
  const days = Math.floor((end - Date.now()) / dayMs)
  const until = `trusted, until ${new Date(end).toISOString().slice(0, 10)}`
  return days < certificateDays
    ? warning(`${until}: ${days} days`, 'Have its certificate renewed.')
    : ok(until)
}

/** Whether it is trusted has been seen by then. */
function certificateEndOf({ hostname, port }: URL): Promise<number | undefined> {
  return new Promise((resolve) => {
    const host = hostname.replace(/^\[|\]$/g, '')
    const socket = connect({
      host,
      port: Number(port || 443),
      servername: isIP(host) ? '' : host,
      rejectUnauthorized: false,
    })
    socket.setTimeout(certificateWithinMs, () => socket.destroy())
    socket.once('secureConnect', () => {
      const { valid_to: end } = socket.getPeerCertificate()
      socket.destroy()
      resolve(end ? Date.parse(end) : undefined)
    })
    socket.on('error', () => {})
    socket.once('close', () => resolve(undefined))
  })
}

function sealOf(body: Asked['body']): Finding {
  if (body['initialized'] === false)
    return failed('not initialised', 'Initialise it: vault operator init.', links.seal)
  return body['sealed'] === true
    ? failed('sealed', 'Unseal it: vault operator unseal.', links.seal)
    : ok('unsealed')
}

function clockOf(serverTime: unknown, at: number): Finding {
  if (typeof serverTime !== 'number') return skipped('the server does not tell its time')
  // It tells whole seconds.
  return clockFinding(
    serverTime * 1_000 + 500,
    at,
    'Have both take their time from NTP: tokens and JWTs of one are early or late for the other.',
  )
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
}
