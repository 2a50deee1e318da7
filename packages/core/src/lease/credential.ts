import { hidePasswordOf } from '../observe/secrets-in-force.ts'

/**
 * A database user name and password, tagged with the generation of its user: 1, 2, 3 … one for each user that a lease manager
 * published. A new password of the same user keeps the number. The password is readable but not enumerable, so it stays out of
 * inspect(), JSON and copies by spreading.
 */
export class Credential {
  readonly generation: number
  readonly username: string
  readonly #password: string

  constructor(generation: number, username: string, password: string) {
    this.generation = generation
    this.username = username
    this.#password = password
    hidePasswordOf(this)
  }

  get password(): string {
    return this.#password
  }
}
