import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'
import { AppModule } from './app-module.ts'

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })

// Without it SIGTERM ends the process at once, and the database user lives until its lease is over.
app.enableShutdownHooks()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await app.listen(Number(port), host)
console.log(`Listening on ${await app.getUrl()}`)
