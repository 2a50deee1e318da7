import { apart } from './apart.ts'

apart('prisma')
