import { apart } from './apart.ts'

apart('typeorm-mysql')
