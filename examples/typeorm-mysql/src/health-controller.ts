import { Controller, Get, Inject, ServiceUnavailableException } from '@nestjs/common'
import { LeaseManager, type LeaseStatus } from '@vault-lease/typeorm'

@Controller('health')
export class HealthController {
  readonly #lease: LeaseManager

  constructor(@Inject(LeaseManager) lease: LeaseManager) {
    this.#lease = lease
  }

  @Get()
  status(): LeaseStatus {
    const status = this.#lease.status()
    if (!this.#lease.current) throw new ServiceUnavailableException(status)
    return status
  }
}
