import { expect, expectTypeOf, it } from 'vitest'
import {
  type AuthFunction,
  type AuthMethod,
  type CircuitState,
  createLease,
  createVault,
  type LeaseEvents,
  LeaseManager,
  type Login,
  type LoginContext,
  token,
  type Vault,
  type VaultAnswer,
  type VaultAuth,
  type VaultRequest,
} from '../src/index.ts'

it('everything that a way of one’s own to log in is made of has a name', async () => {
  const request: VaultRequest = { method: 'PUT', path: 'auth/aws/login', body: { role: 'app' } }
  const sent: VaultRequest[] = []
  const auth: VaultAuth = {
    token: 't',
    leaseDurationMs: 60_000,
    renewable: true,
    uses: Number.POSITIVE_INFINITY,
  }
  const secretIn = ({ data }: VaultAnswer): unknown => data['secret']
  const logIn = async ({ login, unwrap }: LoginContext): Promise<Login> => {
    const secret = secretIn(await unwrap('wrapping-token'))
    return await login({ ...request, body: { ...request.body, secret } })
  }
  const context: LoginContext = {
    signal: undefined,
    login: async (request) => {
      sent.push(request)
      return { kind: 'issued', auth, sentAt: 0 }
    },
    unwrap: async () => ({
      leaseId: '',
      leaseDurationMs: 0,
      renewable: false,
      data: { secret: 's' },
      auth: undefined,
    }),
    lookUpWrapped: async () => ({
      leaseId: '',
      leaseDurationMs: 0,
      renewable: false,
      data: { creation_path: 'sys/wrapping/wrap' },
      auth: undefined,
    }),
  }
  const asFunction: AuthFunction = logIn
  expect(await asFunction(context)).toEqual({ kind: 'issued', auth, sentAt: 0 })
  expect(sent).toEqual([{ ...request, body: { role: 'app', secret: 's' } }])

  const asMethod: AuthMethod = { name: 'aws', identity: 'aws app', logIn }
  const vault: Vault = createVault({ address: 'http://vault', auth: asMethod })
  const circuit: CircuitState = vault.circuit
  expect(circuit).toBe('closed')
})

it('the payload of a union of events is the union of theirs', () => {
  const lease = createLease({ role: 'app', vault: { address: 'http://127.0.0.1:1', auth: token('t') } })
  const hear = (name: 'rotated' | 'expired'): void =>
    void lease.on(name, (payload) => {
      expectTypeOf(payload).toEqualTypeOf<LeaseEvents['rotated'][0] | LeaseEvents['expired'][0]>()
      // @ts-expect-error: only one of them has it
      expect(payload.reason).toBeUndefined()
    })
  hear('expired')
  lease.once('place', ({ to }) => expectTypeOf(to).toEqualTypeOf<'unproven' | 'proven' | 'refused'>())
  // @ts-expect-error: there is no such event
  lease.on('rotate', () => {})
  expect(lease).toBeInstanceOf(LeaseManager)
})

it('a lease has one source', () => {
  // @ts-expect-error: a role and a static role
  expect(() => createLease({ role: 'app', staticRole: 'app' })).toThrow('one source')
})
