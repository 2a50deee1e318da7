import { apart } from './apart.ts'

apart('mongodb')
