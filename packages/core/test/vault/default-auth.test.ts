import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { defaultAuth } from '../../src/vault/auth/default-auth.ts'

describe('how to log in when nobody says it', () => {
  const home = mkdtempSync(join(tmpdir(), 'vault-lease-home-'))
  afterAll(() => rmSync(home, { recursive: true }))

  it('by the token in VAULT_TOKEN first, then by the listener of an Agent, then by the file of vault login', () => {
    writeFileSync(join(home, '.vault-token'), 'a-token')
    expect(defaultAuth({ token: 'a', behindAgent: true, home }).name).toBe('token')
    expect(defaultAuth({ behindAgent: true, home }).name).toBe('none')
    expect(defaultAuth({ home }).name).toBe('token-file')
  })

  it('not at all when there is none of them: then every way is named', () => {
    for (const environment of [{}, { home: join(home, 'nobody') }]) {
      expect(() => defaultAuth(environment)).toThrow(InvalidOptionError)
      expect(() => defaultAuth(environment)).toThrow(/VAULT_TOKEN.*kubernetes\(\)/)
    }
  })
})
