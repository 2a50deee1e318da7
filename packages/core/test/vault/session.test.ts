import { describe, expect, it, vi } from 'vitest'
import type { AuthMethod } from '../../src/vault/auth/auth.ts'
import { CircuitBreaker } from '../../src/vault/circuit-breaker.ts'
import { errorOf } from '../../src/vault/errors.ts'
import type { Wire, WireAnswer, WireRequest } from '../../src/vault/transport.ts'
import { VaultServer } from '../../src/vault/vault-server.ts'
import { ManualClock } from '../manual-clock.ts'
import { rejection } from '../secrets.ts'

const second = 1_000
const { signal } = new AbortController()
const creds = { method: 'GET', path: 'database/creds/app' } as const
const denied = 'permission denied'
/** As a real server says that a policy forbids something. */
const forbidden = '1 error occurred:\n\t* permission denied\n\n'

/** A Vault of which a test says what it answers; each login gives another token. */
class ScriptedVault {
  readonly clock = new ManualClock()
  readonly requests: string[] = []
  uses = 0
  ttl = 60
  renewable = true
  /** What is answered, by the end of the path. An error is a text, of a 403. */
  answers: Record<string, (wire: WireRequest) => unknown> = {}
  readonly server: VaultServer
  #tokens = 0

  constructor(auth?: AuthMethod) {
    const wire: Wire = { send: (request) => this.#send(request), close: async () => {} }
    this.server = new VaultServer({
      address: 'http://vault',
      namespace: undefined,
      transport: wire,
      auth: auth ?? {
        name: 'test',
        logIn: ({ login }) => login({ method: 'PUT', path: 'auth/test/login', body: {} }),
      },
      maxRetries: 0,
      circuit: new CircuitBreaker({ failures: 5, pauseMs: 30 * second }, this.clock),
      clock: this.clock,
      random: () => 0.5,
    })
  }

  count(what: string): number {
    return this.requests.filter((request) => request.includes(what)).length
  }

  async #send(wire: WireRequest): Promise<WireAnswer> {
    const { path, method, headers } = wire
    this.requests.push(`${path} ${headers['X-Vault-Token'] ?? ''}`.trim())
    const key = Object.keys(this.answers).find((end) => path.endsWith(end))
    const answer = key ? await this.answers[key]?.(wire) : this.#answer(path)
    if (typeof answer === 'string') throw errorOf({ method, path, status: 403, messages: [answer] })
    return { body: answer, sentAt: this.clock.now(), ageMs: 0, cache: undefined }
  }

  #answer(path: string): unknown {
    const auth = { lease_duration: this.ttl, renewable: this.renewable, num_uses: this.uses }
    if (path.endsWith('login')) return { auth: { ...auth, client_token: `token-${++this.#tokens}` } }
    if (path.endsWith('renew-self')) return { auth: { ...auth, client_token: 'the same' } }
    return { data: {} }
  }
}

describe('the token of a Vault', () => {
  it('with few uses is not given back while a request of another lease is under way with it', async () => {
    const vault = new ScriptedVault()
    vault.uses = 3
    let answer = (): void => {}
    vault.answers['slow'] = () => new Promise((resolve) => (answer = () => resolve({ lease_id: 'creds/1' })))
    const slow = vault.server.send({ ...creds, path: 'database/creds/slow', holdToken: true })
    await vault.clock.advance(0)
    await vault.server.send(creds)
    // The uses of the first token are over: this logs in anew.
    await vault.server.send(creds)
    await vault.clock.advance(second)
    expect(vault.count('auth/test/login')).toBe(2)
    expect(vault.count('revoke-self')).toBe(0)
    answer()
    const { token: first } = await slow
    await vault.clock.advance(second)
    expect(vault.count('revoke-self')).toBe(0)
    vault.server.session.release(first)
    await vault.clock.advance(second)
    expect(vault.requests.filter((request) => request.includes('revoke-self'))).toEqual([
      'auth/token/revoke-self token-1',
    ])
  })

  it('that is being given back when its Vault is closed is waited for', async () => {
    const vault = new ScriptedVault()
    vault.uses = 2
    let answer = (): void => {}
    vault.answers['revoke-self'] = () => new Promise((resolve) => (answer = () => resolve({})))
    await vault.server.send(creds)
    await vault.server.send(creds)
    expect(vault.count('revoke-self token-1')).toBe(1)
    vault.answers['revoke-self'] = () => ({})
    let closed = false
    const closing = vault.server.close().then(() => {
      closed = true
    })
    await vault.clock.advance(second)
    expect(closed).toBe(false)
    answer()
    await closing
  })

  it('that lives and may not look itself up is not taken for dead', async () => {
    const vault = new ScriptedVault()
    vault.answers = { 'creds/app': () => forbidden, 'lookup-self': () => forbidden }
    for (let n = 0; n < 5; n++)
      expect(await rejection(vault.server.send(creds))).toMatchObject({ code: 'ERR_VAULT_PERMISSION_DENIED' })
    expect(vault.count('auth/test/login')).toBe(1)
    await vault.server.close()
    expect(vault.count('revoke-self token-1')).toBe(1)
  })

  it('that is dead is replaced, though it may not look itself up either', async () => {
    const vault = new ScriptedVault()
    vault.answers = {
      'creds/app': ({ headers }) => (headers['X-Vault-Token'] === 'token-1' ? denied : { data: {} }),
      'lookup-self': () => denied,
    }
    expect((await vault.server.send(creds)).token.value).toBe('token-2')
  })

  it('whose renewal is answered with none fails, so that it is not asked for again at once', async () => {
    const vault = new ScriptedVault()
    await vault.server.send(creds)
    vault.answers['renew-self'] = () => ({})
    expect(await rejection(vault.server.renewToken(signal))).toMatchObject({
      code: 'ERR_VAULT_BAD_ANSWER',
      retryable: true,
      message: expect.stringContaining('auth/token/renew-self'),
    })
  })

  it('has its end asked for after a suspend, where it cannot be extended', async () => {
    const vault = new ScriptedVault()
    vault.renewable = false
    const { token: held } = await vault.server.send({ ...creds, holdToken: true })
    expect(held.facts.end).toBe(60 * second)
    vault.answers['lookup-self'] = () => ({ data: { ttl: 20, creation_ttl: 60, renewable: false } })
    await vault.server.renewToken(signal)
    expect(vault.count('lookup-self')).toBe(0)
    vault.clock.ahead += 40 * second
    await vault.server.renewToken(signal)
    expect(held.facts.end).toBe(20 * second)
    expect(vault.count('auth/test/login')).toBe(1)
  })

  it('is extended after a suspend, and those that it has replaced have their end asked for', async () => {
    const vault = new ScriptedVault()
    vault.renewable = false
    const { token: first } = await vault.server.send({ ...creds, holdToken: true })
    vault.renewable = true
    const { token: current } = await vault.server.send({ ...creds, outliveMs: 100 * second })
    expect(current).not.toBe(first)
    vault.answers['lookup-self'] = () => ({ data: { ttl: 20, creation_ttl: 60, renewable: false } })
    vault.clock.ahead += 40 * second
    await vault.clock.advance(second)
    await vault.server.renewToken(signal)
    expect(first.facts.end).toBe(21 * second)
    expect(current.facts.end).toBe(61 * second)
  })

  it('keeps the process alive while it is given back', async () => {
    const vault = new ScriptedVault()
    await vault.server.send(creds)
    const letGo = vi.fn()
    const keepAlive = vi.spyOn(vault.clock, 'keepAlive').mockReturnValue(letGo)
    await vault.server.close()
    expect(keepAlive).toHaveBeenCalledOnce()
    expect(letGo).toHaveBeenCalledOnce()
  })
})
