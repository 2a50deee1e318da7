import { type ArgumentsHost, Catch, ConflictException } from '@nestjs/common'
import { BaseExceptionFilter } from '@nestjs/core'
import { QueryFailedError } from 'typeorm'

/** Answers 409 to whoever asks for an e-mail address that somebody has. */
@Catch(QueryFailedError)
export class TakenFilter extends BaseExceptionFilter {
  override catch(error: QueryFailedError, host: ArgumentsHost): void {
    super.catch(isDuplicate(error) ? new ConflictException('This e-mail address is taken.') : error, host)
  }
}

function isDuplicate({ driverError }: QueryFailedError): boolean {
  return 'code' in driverError && driverError.code === 'ER_DUP_ENTRY'
}
