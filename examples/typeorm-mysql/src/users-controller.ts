import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  NotFoundException,
  Param,
  ParseIntPipe,
  Patch,
  Post,
  UseFilters,
} from '@nestjs/common'
import { InjectRepository } from '@nestjs/typeorm'
import type { Repository } from 'typeorm'
import { TakenFilter } from './taken-filter.ts'
import { User } from './user.ts'
import { partOfUser, type UserInput, wholeUser } from './user-input.ts'

/** Nothing in it knows that the database user changes. */
@Controller('users')
@UseFilters(TakenFilter)
export class UsersController {
  readonly #users: Repository<User>

  constructor(@InjectRepository(User) users: Repository<User>) {
    this.#users = users
  }

  @Get()
  list(): Promise<User[]> {
    return this.#users.find({ order: { id: 'asc' }, take: 100 })
  }

  @Post()
  async create(@Body(wholeUser) input: UserInput): Promise<User> {
    const user = this.#users.create(input)
    await this.#users.insert(user)
    return user
  }

  @Get(':id')
  async read(@Param('id', ParseIntPipe) id: number): Promise<User> {
    const user = await this.#users.findOneBy({ id })
    if (!user) throw new NotFoundException()
    return user
  }

  @Patch(':id')
  async change(
    @Param('id', ParseIntPipe) id: number,
    @Body(partOfUser) input: Partial<UserInput>,
  ): Promise<User> {
    await this.#users.update(id, input)
    return await this.read(id)
  }

  @Delete(':id')
  @HttpCode(204)
  async remove(@Param('id', ParseIntPipe) id: number): Promise<void> {
    const { affected } = await this.#users.delete(id)
    if (!affected) throw new NotFoundException()
  }
}
