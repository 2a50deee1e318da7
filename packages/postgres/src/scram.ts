import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const derived = promisify(pbkdf2)

/** One login by SCRAM-SHA-256 (RFC 5802, RFC 7677), as PostgreSQL does it: the name is said in the first message of the session. */
export class Scram {
  readonly first: string
  readonly #password: string
  readonly #nonce = randomBytes(18).toString('base64')
  #serverSignature = ''

  constructor(password: string) {
    this.#password = password
    this.first = `n,,n=*,r=${this.#nonce}`
  }

  /** @throws when the server does not go on from what it was told. */
  async answer(challenge: string): Promise<string> {
    const { r = '', s = '', i = '' } = attributesOf(challenge)
    if (!r.startsWith(this.#nonce) || s === '' || !/^\d+$/.test(i))
      throw new Error('The server does not do SCRAM-SHA-256 as it is specified.')
    const salted = await derived(this.#password, Buffer.from(s, 'base64'), Number(i), 32, 'sha256')
    const clientKey = hmac(salted, 'Client Key')
    const said = `c=biws,r=${r}`
    const all = `n=*,r=${this.#nonce},${challenge},${said}`
    const signature = hmac(createHash('sha256').update(clientKey).digest(), all)
    const proof = clientKey.map((byte, at) => byte ^ (signature[at] ?? 0))
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), all).toString('base64')
    return `${said},p=${Buffer.from(proof).toString('base64')}`
  }

  /** @throws when the server does not know the password itself. */
  check(last: string): void {
    if (this.#serverSignature === '' || attributesOf(last)['v'] !== this.#serverSignature)
      throw new Error('The server has not proven that it knows the password of the user.')
  }
}

function attributesOf(text: string): Partial<Record<string, string>> {
  return Object.fromEntries(text.split(',').map((part) => [part[0], part.slice(2)]))
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}
