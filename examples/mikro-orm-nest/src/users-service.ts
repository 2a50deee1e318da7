import { EntityManager, UniqueConstraintViolationException } from '@mikro-orm/postgresql'
import { ConflictException, Inject, Injectable, NotFoundException } from '@nestjs/common'
import { User } from './user.ts'
import type { UserInput } from './user-input.ts'

/** Users in their table. Nothing in it knows that the database user changes. */
@Injectable()
export class UsersService {
  /** Each request has its own fork of it. */
  readonly #em: EntityManager

  constructor(@Inject(EntityManager) em: EntityManager) {
    this.#em = em
  }

  list(): Promise<User[]> {
    return this.#em.find(User, {}, { orderBy: { id: 'asc' }, limit: 100 })
  }

  async find(id: number): Promise<User> {
    return await this.#em.findOneOrFail(User, id, { failHandler: () => new NotFoundException() })
  }

  async create(input: UserInput): Promise<User> {
    const user = this.#em.create(User, input)
    await this.#flush()
    return user
  }

  async change(id: number, input: Partial<UserInput>): Promise<User> {
    const user = await this.find(id)
    this.#em.assign(user, input)
    await this.#flush()
    return user
  }

  async remove(id: number): Promise<void> {
    if ((await this.#em.nativeDelete(User, { id })) === 0) throw new NotFoundException()
  }

  async #flush(): Promise<void> {
    try {
      await this.#em.flush()
    } catch (error) {
      if (!(error instanceof UniqueConstraintViolationException)) throw error
      throw new ConflictException('This e-mail address is taken.')
    }
  }
}
