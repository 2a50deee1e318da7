import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { EventEmitter } from 'node:events'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { CredentialsUnavailableError } from '../../src/errors.ts'
import { announce, type LeaseEventEmitter, type LeaseEvents } from '../../src/lease/events.ts'

const source = 'database/creds/app'
const payloads: { [Name in keyof LeaseEvents]: LeaseEvents[Name][0] } = {
  rotated: { source, generation: 2, username: 'v-app', reason: 'age', tookMs: 5 },
  renewed: { source, generation: 2, expiresInMs: 60_000 },
  retired: { source, generation: 1, username: 'v-app', closed: 3, forced: 1, tookMs: 9 },
  revoked: { source, generation: 1, username: 'v-app', tookMs: 3 },
  login: { source, place: 'test://db', generation: 2, username: 'v-app' },
  rotation: {
    source,
    reason: 'age',
    outcome: 'success',
    generation: 2,
    tookMs: 5,
    steps: [{ step: 'fetch', tookMs: 5, error: undefined }],
    replaced: [{ generation: 1, username: 'v-app' }],
  },
  failed: { source, step: 'fetch', error: new CredentialsUnavailableError('no') },
  passwordChanged: { source, generation: 2, username: 'v-app', reason: 'changed', tookMs: 5 },
  place: { source, place: 'test://db', from: 'proven', to: 'refused', error: undefined },
  expired: { source, generation: 1, username: 'v-app' },
  state: { source, from: 'ready', to: 'degraded' },
}
const names = Object.keys(payloads) as (keyof LeaseEvents)[]

describe('an event', () => {
  afterEach(() => void vi.restoreAllMocks())

  it.each(names)('"%s" reaches listeners and its diagnostics channel with the same payload', (name) => {
    const emitter: LeaseEventEmitter = new EventEmitter<LeaseEvents>() as never
    const heard: unknown[] = []
    const hear = (payload: unknown): void => void heard.push(payload)
    emitter.on(name, hear)
    subscribe(`vault-lease:${name}`, hear)
    announce([emitter], name, payloads[name])
    unsubscribe(`vault-lease:${name}`, hear)
    expect(heard).toHaveLength(2)
    expect(heard[0]).toBe(payloads[name])
    expect(heard[1]).toBe(payloads[name])
    announce([emitter], name, payloads[name])
    expect(heard).toHaveLength(3)
  })

  it('reaches the next listener after one that throws, and warns of it', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    const emitter: LeaseEventEmitter = new EventEmitter<LeaseEvents>() as never
    const next = vi.fn()
    emitter.on('state', () => {
      throw new Error('a bug')
    })
    emitter.on('state', next)
    announce([emitter], 'state', payloads.state)
    expect(next).toHaveBeenCalledOnce()
    expect(warn.mock.calls[0]?.[0]).toMatch(/"state" threw: Error: a bug/)
  })

  it.each([
    ['nothing that has a text', Object.create(null)],
    ['a symbol', Symbol('bug')],
    ['an error that cannot be read', Object.defineProperty(new Error(), 'message', { get: throwAgain })],
    ['one whose cause cannot be read', Object.defineProperty(new Error(), 'cause', { get: throwAgain })],
  ])('that a listener throws %s for is a warning', async (_what, thrown) => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    const emitter: LeaseEventEmitter = new EventEmitter<LeaseEvents>() as never
    emitter.on('state', () => {
      throw thrown
    })
    announce([emitter], 'state', payloads.state)
    await vi.waitFor(() => expect(warn.mock.calls[0]?.[0]).toMatch(/"state" threw: Error: ./))
  })

  it('that an asynchronous listener fails on is a warning, too, and no unhandled rejection', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue(undefined)
    const emitter: LeaseEventEmitter = new EventEmitter<LeaseEvents>() as never
    emitter.on('state', async () => {
      throw new Error('a late bug')
    })
    announce([emitter], 'state', payloads.state)
    await vi.waitFor(() => expect(warn.mock.calls[0]?.[0]).toMatch(/a late bug/))
  })

  it('reaches a listener added by once() once', () => {
    const emitter: LeaseEventEmitter = new EventEmitter<LeaseEvents>() as never
    const listener = vi.fn()
    emitter.once('state', listener)
    announce([emitter], 'state', payloads.state)
    announce([emitter], 'state', payloads.state)
    expect(listener).toHaveBeenCalledOnce()
  })
})

function throwAgain(): never {
  throw new Error('again')
}
