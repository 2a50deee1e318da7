import { describe, expect, it } from 'vitest'
import { CredentialsUnavailableError } from '../../src/errors.ts'
import { Credential } from '../../src/lease/credential.ts'
import { plainCause, redact } from '../../src/observe/redact.ts'
import { notProven } from '../../src/pool/not-proven.ts'
import { VaultError } from '../../src/vault/errors.ts'
import { secretsIn } from '../secrets.ts'

describe('redact', () => {
  it.each([
    ['postgres://user:secret@db:5432/app', 'postgres://[redacted]@db:5432/app'],
    ['postgres://user:sec@ret@db/app failed', 'postgres://[redacted]@db/app failed'],
    ['postgres://user:sec/ret@db/app failed', 'postgres://[redacted]@db/app failed'],
    ['postgres://user:sec@ret/ret@db/app', 'postgres://[redacted]@db/app'],
    ['"mongodb://u:p@a" and "mysql://u:p@b"', '"mongodb://[redacted]@a" and "mysql://[redacted]@b"'],
    ['https://vault:8200/v1/x', 'https://vault:8200/v1/x'],
    ['mail to a@b.example', 'mail to a@b.example'],
  ])('%s', (text, clean) => {
    expect(redact(text)).toBe(clean)
  })

  it.each([
    "http://user:it's@proxy:3128",
    'http://user:a"b@proxy',
    'http://user:a`b@proxy',
    "'pg://u:it's@a','pg://u:it's@b'",
  ])('a password in a URL has quotes: %s', (text) => {
    expect(redact(text)).not.toMatch(/it's|a"b|a`b/)
  })

  it('knows a secret in JSON, in JSON in JSON, and in a URL', () => {
    const secret = 'p"w\\<&1/ü'
    const inJson = JSON.stringify({ secret })
    const ofGo = 'p\\"w\\\\\\u003c\\u00261/ü'
    for (const text of [inJson, JSON.stringify({ inJson }), encodeURIComponent(secret), ofGo]) {
      expect(redact(text, [secret])).not.toMatch(/p.*w|1/)
      expect(redact(text, [secret])).toContain('[redacted]')
    }
    expect(redact('half a pair', ['\ud800abc'])).toBe('half a pair')
  })

  it('leaves nothing of a secret in which another one stands', () => {
    expect(redact('word and password', ['word', 'password'])).toBe('[redacted] and [redacted]')
  })

  it('leaves nothing with which a line of a log could be forged', () => {
    expect(redact('one\r\ntwo\u001b[31m\u2028three\u0000\u009b1m\ttab')).toBe('one two [31m three 1m tab')
  })

  it('removes the secrets that it is told, everywhere', () => {
    expect(redact('a hvs.x and a hvs.x, s.yz', ['hvs.x', 's.yz', ''])).toBe(
      'a [redacted] and a [redacted], [redacted]',
    )
  })

  it('does not tell a short secret by what is missing', () => {
    expect(redact('unsupported path', ['p'])).toBe('unsupported path')
  })
})

it('the message of an error hides the passwords in force, and what has control characters', () => {
  const credential = new Credential(1, 'v-app', 'pa55-word')
  const cause = new Error('password "pa55-word" is too\nlong')
  expect(secretsIn(notProven(credential, 'db', cause, 'refused'), ['pa55-word', 'too\n'])).toEqual([])
  expect(secretsIn(new CredentialsUnavailableError('pa55-word'), ['pa55-word'])).toEqual([])
  const { messages } = new VaultError('no', { code: 'ERR_VAULT_SERVER', messages: ['one\n\u001b[1mtwo'] })
  expect(messages).toEqual(['one [1mtwo'])
})

it('the message of an error is clean, whoever wrote it', () => {
  const error = new VaultError('dial postgres://u:secret@h', { code: 'ERR_VAULT_SERVER' })
  expect(secretsIn(error, ['secret'])).toEqual([])
})

describe('the cause of an error', () => {
  it('keeps name, code and message, and no property', () => {
    const cause = Object.assign(new TypeError('connect to redis://u:secret@h'), {
      code: 'ECONNRESET',
      config: { headers: { 'X-Vault-Token': 'hvs.secret' } },
    })
    const error = new CredentialsUnavailableError('no', { cause })
    expect(error.cause).toMatchObject({ name: 'TypeError', code: 'ECONNRESET' })
    expect(error.cause).toMatchObject({ message: 'connect to redis://[redacted]@h' })
    expect(error.cause).not.toHaveProperty('config')
    expect(secretsIn(error, ['secret'])).toEqual([])
  })

  it('is clean at every depth, and ends', () => {
    const deep = new Error('outer', { cause: new Error('inner mysql://u:secret@h') })
    expect(secretsIn(plainCause(deep), ['secret'])).toEqual([])
    expect(plainCause(deep)).toMatchObject({ cause: { message: 'inner mysql://[redacted]@h' } })
    const circle = new Error('circle')
    circle.cause = circle
    expect(plainCause(circle).message).toBe('circle')
  })

  it('names everything that several addresses answered', () => {
    const errors = [new Error('refused ::1'), new Error('refused 127.0.0.1')]
    expect(plainCause(new AggregateError(errors)).message).toBe('refused ::1; refused 127.0.0.1')
  })

  it.each([
    'postgres://u:secret@h',
    { password: 'secret' },
    ['secret'].length,
    null,
    undefined,
    Object.create(null),
    Object.assign(new Error(), { message: Symbol('no text') }),
  ])('that is no error, %j, becomes one', (cause) => {
    const plain = plainCause(cause)
    expect(plain).toBeInstanceOf(Error)
    expect(secretsIn(plain, ['secret'])).toEqual([])
  })
})
