import { setTimeout as sleep } from 'node:timers/promises'
import { Inject, Injectable, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common'
import { TerminusModule } from '@nestjs/terminus'
import { vaultAdapter } from '@vault-lease/prisma'
import { PrismaClient } from './generated/prisma/client.ts'
import { HealthController } from './health-controller.ts'
import { Items } from './items.ts'
import { ItemsController } from './items-controller.ts'

@Injectable()
class PrismaService extends PrismaClient implements OnModuleInit, OnApplicationShutdown {
  /** For health. */
  readonly adapter: object

  constructor() {
    const adapter = vaultAdapter({ provider: 'postgresql' })
    super({ adapter })
    this.adapter = adapter
  }

  /** $connect() connects to nothing yet: until the first query there is no credential, and health says so. */
  async onModuleInit(): Promise<void> {
    await this.$queryRaw`select 1`
  }

  /** Not onModuleDestroy(), which comes before the last requests are answered. */
  async onApplicationShutdown(): Promise<void> {
    await this.$disconnect()
  }
}

class PrismaItems implements Items {
  readonly pool: object
  readonly #prisma: PrismaService

  constructor(@Inject(PrismaService) prisma: PrismaService) {
    this.pool = prisma.adapter
    this.#prisma = prisma
  }

  async nameOf(id: number): Promise<string | undefined> {
    return (await this.#prisma.item.findUnique({ where: { id } }))?.name
  }

  hit(id: number, holdMs: number): Promise<unknown> {
    return this.#prisma.$transaction(async (tx) => {
      await tx.item.findUniqueOrThrow({ where: { id } })
      await sleep(holdMs)
      await tx.item.update({ where: { id }, data: { hits: { increment: 1 } } })
    })
  }
}

@Module({
  imports: [TerminusModule],
  providers: [PrismaService, { provide: Items, useClass: PrismaItems }],
  controllers: [ItemsController, HealthController],
})
export class AppModule {}
