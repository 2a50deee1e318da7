import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { closeOnSignal } from '@vault-lease/typeorm'
import { AppModule } from './app-module.ts'
import { lease } from './lease.ts'

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })

closeOnSignal(() => app.close(), lease)
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await app.listen(Number(port), host)
console.log(`Listening on ${await app.getUrl()}`)
