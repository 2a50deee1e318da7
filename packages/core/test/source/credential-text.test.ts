import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { loginIn } from '../../src/source/credential-text.ts'

const login = { username: 'v-app-1', password: 'p w"$1' }

describe('loginIn', () => {
  it.each([
    ['the shell form of the Agent Injector', 'export DB_USERNAME="v-app-1"\nexport DB_PASSWORD="p w\\"\\$1"'],
    ['a .env file', "# from Vault\nDB_USERNAME=v-app-1\nDB_PASSWORD='p w\"$1'\n"],
    [
      'with spaces, carriage returns and comments',
      ' DB_USER = v-app-1 # who\r\nDB_PASS="p w\\"$1"  # what\r\n\r\n',
    ],
    ['the variables of PostgreSQL', "PGUSER=v-app-1\nPGPASSWORD='p w\"$1'\nPGHOST=db"],
    ['JSON', JSON.stringify(login)],
    ['JSON with the answer of Vault around it', JSON.stringify({ lease_id: 'x', data: login })],
    [
      'JSON with names of a shell',
      JSON.stringify({ DB_USERNAME: login.username, DB_PASSWORD: login.password, port: 5432 }),
    ],
    ['JSON after a byte order mark', `\uFEFF${JSON.stringify(login)}`],
    ['lines after one', `\uFEFFDB_USERNAME=${login.username}\nDB_PASSWORD=${JSON.stringify(login.password)}`],
  ])('reads %s', (_name, text) => {
    expect(loginIn(text)).toEqual(login)
  })

  it.each([
    ['', 'nothing that is called like a user name'],
    ['DB_USERNAME=v-app-1', 'nothing that is called like a password'],
    ['DB_USERNAME=v-app-1\nDB_PASSWORD=', 'nothing that is called like a password'],
    ['export DB_USERNAME="v-app-1"\nexport DB_PASSWORD="half', 'line 2 is not NAME=value'],
    ["DB_USERNAME=a\nDB_PASSWORD='half", 'line 2 is not NAME=value'],
    ['{"username":"v-app-1","passw', 'begins like JSON and is none'],
    ['{"data":null}', 'nothing that is called like a user name'],
    ['A_USER=a\nB_USER=b\nA_PASSWORD=c', 'more than one that is called like a user name: A_USER, B_USER'],
    ['v-app-1\nhalf', 'line 1 is not NAME=value'],
  ])('says what is wrong with %j, and no value', (text, why) => {
    const found = loginIn(text)
    expect(found).toMatchObject({ wrong: expect.stringContaining(why) })
    expect(JSON.stringify(found)).not.toMatch(/v-app-1|half/)
  })

  it.each([
    ['DB_USERNAME=a;\nDB_PASSWORD=b#c', { username: 'a;', password: 'b#c' }],
    ['DB_USERNAME="a";\nDB_PASSWORD=\'b\' # c ; d', { username: 'a', password: 'b' }],
    ['DB_USERNAME\t=\t"a" ;\n  export  DB_PASSWORD = b;c #', { username: 'a', password: 'b;c' }],
  ])('knows where the value ends in %j', (text, found) => {
    expect(loginIn(text)).toEqual(found)
  })

  it.each(['"a"b', "'a''b'", 'a b', '"a" b', 'a "#"'])('takes %s for no value', (value) => {
    expect(loginIn(`DB_USERNAME=${value}`)).toEqual({ wrong: 'line 1 is not NAME=value' })
  })

  it('finds no other login in a part of the text than in the whole, where quotes are used', () => {
    const word = fc.stringMatching(/^[A-Za-z0-9#$-]{1,20}$/)
    fc.assert(
      fc.property(word, word, fc.nat(200), (username, password, length) => {
        const text = `export DB_USERNAME="${username}"\nexport DB_PASSWORD="${password}"\n`
        const part = loginIn(text.slice(0, length))
        expect('wrong' in part || (part.username === username && part.password === password)).toBe(true)
      }),
    )
  })

  it('reads whatever there is without an error', () => {
    fc.assert(fc.property(fc.string(), (text) => void loginIn(text)))
    fc.assert(fc.property(fc.json(), (text) => void loginIn(text)))
  })
})
