import { Controller, Get, Inject } from '@nestjs/common'
import { HealthCheck, type HealthCheckResult, HealthCheckService } from '@nestjs/terminus'
import { healthIndicator } from '@vault-lease/core'
import { Items } from './items.ts'

/** 200 while the pool has a user that its database takes, else 503; from SIGTERM on Terminus itself says 503. */
@Controller('health')
export class HealthController {
  readonly #health: HealthCheckService
  readonly #database: ReturnType<typeof healthIndicator<'database'>>

  constructor(@Inject(HealthCheckService) health: HealthCheckService, @Inject(Items) { pool }: Items) {
    this.#health = health
    this.#database = healthIndicator('database', pool)
  }

  @Get()
  @HealthCheck()
  check(): Promise<HealthCheckResult> {
    return this.#health.check([this.#database])
  }
}
