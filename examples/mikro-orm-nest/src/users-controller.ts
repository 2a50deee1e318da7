import {
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Inject,
  Param,
  ParseIntPipe,
  Patch,
  Post,
} from '@nestjs/common'
import type { User } from './user.ts'
import { partOfUser, type UserInput, wholeUser } from './user-input.ts'
import { UsersService } from './users-service.ts'

@Controller('users')
export class UsersController {
  readonly #users: UsersService

  constructor(@Inject(UsersService) users: UsersService) {
    this.#users = users
  }

  @Get()
  list(): Promise<User[]> {
    return this.#users.list()
  }

  @Post()
  create(@Body(wholeUser) input: UserInput): Promise<User> {
    return this.#users.create(input)
  }

  @Get(':id')
  read(@Param('id', ParseIntPipe) id: number): Promise<User> {
    return this.#users.find(id)
  }

  @Patch(':id')
  change(@Param('id', ParseIntPipe) id: number, @Body(partOfUser) input: Partial<UserInput>): Promise<User> {
    return this.#users.change(id, input)
  }

  @Delete(':id')
  @HttpCode(204)
  remove(@Param('id', ParseIntPipe) id: number): Promise<void> {
    return this.#users.remove(id)
  }
}
