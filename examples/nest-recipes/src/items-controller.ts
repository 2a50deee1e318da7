import {
  Controller,
  DefaultValuePipe,
  Get,
  HttpCode,
  Inject,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  Query,
} from '@nestjs/common'
import { Items } from './items.ts'

/** Nothing in it knows that the database user changes. */
@Controller('items')
export class ItemsController {
  readonly #items: Items

  constructor(@Inject(Items) items: Items) {
    this.#items = items
  }

  @Get(':id')
  async read(@Param('id', ParseIntPipe) id: number): Promise<{ name: string }> {
    const name = await this.#items.nameOf(id)
    if (name === undefined) throw new NotFoundException()
    return { name }
  }

  @Post(':id/hits')
  @HttpCode(204)
  async hit(
    @Param('id', ParseIntPipe) id: number,
    @Query('holdMs', new DefaultValuePipe(0), ParseIntPipe) holdMs: number,
  ): Promise<void> {
    await this.#items.hit(id, holdMs)
  }
}
