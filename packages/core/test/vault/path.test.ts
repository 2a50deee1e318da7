import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { InvalidOptionError } from '../../src/errors.ts'
import { apiPath, checkMountPath, checkRoleName } from '../../src/vault/path.ts'

describe('apiPath', () => {
  it.each([
    [['database', 'creds', 'app'], 'database/creds/app'],
    [['team-a/database', 'creds', 'app'], 'team-a/database/creds/app'],
    [['database', 'creds', 'a#b?c'], 'database/creds/a%23b%3Fc'],
    [['database', 'creds', '%2e%2e'], 'database/creds/%252e%252e'],
    [['database', 'creds', 'größe'], 'database/creds/gr%C3%B6%C3%9Fe'],
  ])('%j is %s', (parts, path) => {
    expect(apiPath(...parts)).toBe(path)
  })

  it('stays in its place below /v1/, whatever names are let through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (mount, role) => {
        if (isRefused(() => checkMountPath(mount)) || isRefused(() => checkRoleName(role))) return
        const { pathname, search, hash } = new URL(`http://vault/v1/${apiPath(mount, 'creds', role)}`)
        expect(pathname).toBe(`/v1/${mount}/creds/${role}`)
        expect(search + hash).toBe('')
      }),
      { numRuns: 2_000 },
    )
  })

  it('never changes depth: a part without a slash is one segment, whatever else it holds', () => {
    const part = fc
      .string({ unit: 'grapheme', minLength: 1 })
      .filter((text) => !text.includes('/') && !['.', '..'].includes(text))
    const nasty = fc.constantFrom('a#b', 'a?b', '%2e%2e', '%2f', '...', 'a\\b', 'a;b', ' ', 'ü', '\u202e')
    fc.assert(
      fc.property(fc.array(fc.oneof(part, nasty), { minLength: 1, maxLength: 5 }), (parts) => {
        const { pathname } = new URL(`http://vault/v1/${apiPath(...parts)}`)
        expect(pathname.split('/').slice(2).map(decodeURIComponent)).toEqual(parts)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('names', () => {
  it.each(['a/b', 'a#b', '..', '.', '', '%2e%2e', 'größe', 'a b', 'a\n', 'a?b', '/app', 'app/'])(
    'the role %j is refused',
    (role) => {
      expect(() => checkRoleName(role)).toThrow(InvalidOptionError)
    },
  )

  it.each(['app', 'read-only', 'read_only.v2', '0'])('the role %j is one', (role) => {
    expect(isRefused(() => checkRoleName(role))).toBe(false)
  })

  it.each(['', '/', 'database/', '/database', 'a//b', 'a/../b', 'a/./b', 'a%2fb', 'a/b#c'])(
    'the mount %j is refused',
    (mount) => {
      expect(() => checkMountPath(mount)).toThrow(InvalidOptionError)
    },
  )

  it.each(['database', 'team/a/database', 'db-1.2_x'])('the mount %j is one', (mount) => {
    expect(isRefused(() => checkMountPath(mount))).toBe(false)
  })
})

function isRefused(check: () => void): boolean {
  try {
    check()
    return false
  } catch {
    return true
  }
}
