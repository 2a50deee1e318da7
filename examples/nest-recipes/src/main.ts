import 'reflect-metadata'
import { NestFactory } from '@nestjs/core'

const recipes = {
  typeorm: () => import('./typeorm.ts'),
  sequelize: () => import('./sequelize.ts'),
  prisma: () => import('./prisma.ts'),
  mongoose: () => import('./mongoose.ts'),
}

const [, , name = ''] = process.argv
if (!isRecipe(name)) throw new Error(`Which recipe? One of ${Object.keys(recipes).join(', ')}.`)
const { AppModule } = await recipes[name]()
const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] })

// Without it SIGTERM ends the process at once, and the database user lives until its lease is over.
app.enableShutdownHooks()
const { HOST: host = '0.0.0.0', PORT: port = '3000' } = process.env
await app.listen(Number(port), host)
console.log(`Listening on ${await app.getUrl()}`)

function isRecipe(name: string): name is keyof typeof recipes {
  return Object.hasOwn(recipes, name)
}
